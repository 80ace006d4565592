/** One registration as its user sees it: its state, made from the events of its record and its lease. */
import { BehaviorSubject, type Observable } from 'rxjs';
import type { DiscoveryError } from '../core/discovery-error.js';
import type { RegistrationEvent } from '../core/discovery-event.js';
import type { Endpoint } from '../core/endpoint.js';
import type { Registration, RegistrationStatus } from '../registry/registration.js';

/** A record in a lease keeper's care. */
export class EtcdRegistration implements Registration {
  private readonly subject: BehaviorSubject<RegistrationStatus>;
  private closing: Promise<void> | undefined;

  constructor(
    initial: RegistrationStatus,
    private readonly put: (endpoint: Endpoint) => void,
    private readonly remove: () => Promise<void>,
  ) {
    this.subject = new BehaviorSubject(initial);
  }

  get status(): RegistrationStatus {
    return this.subject.value;
  }

  get status$(): Observable<RegistrationStatus> {
    return this.subject.asObservable();
  }

  update(endpoint: Endpoint): void {
    if (this.closing === undefined) this.put(endpoint);
  }

  close(): Promise<void> {
    this.closing ??= this.remove().then(() => this.ended());
    return this.closing;
  }

  /** Nothing more will be done for this record. */
  ended(): void {
    this.become('deregistered');
    this.subject.complete();
  }

  observe(event: RegistrationEvent): void {
    const { state } = this.status;
    switch (event.type) {
      case 'registered':
      case 'record-restored':
        return this.become('registered');
      case 'conflict':
        return this.become('conflict');
      case 'record-refused':
        return this.become(state === 'conflict' ? state : 'registering', event.error);
      case 'lease-lost':
      case 'lease-expired':
        // What another process holds does not go with our lease.
        return this.become(state === 'conflict' ? state : 'registering');
      case 'lease-unreachable':
        return this.become(state === 'registered' ? 'unreachable' : state, event.error);
      case 'lease-recovered':
        // A record that was not in place is announced by its own event.
        return this.become(state === 'unreachable' ? 'registered' : state);
      default:
    }
  }

  private become(state: RegistrationStatus['state'], error?: DiscoveryError): void {
    if (this.subject.closed || this.status.state === 'deregistered') return;
    if (this.status.state === state && this.status.error === error) return;
    const { service, key, address } = this.status;
    this.subject.next({ state, service, key, address, ...(error === undefined ? {} : { error }) });
  }
}
