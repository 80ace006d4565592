/** A registration as its user sees it: the status, and what is done with the record as long as it is not closed. */
import { BehaviorSubject, type Observable } from 'rxjs';
import type { DiscoveryError } from '../core/discovery-error.js';
import type { Endpoint } from '../core/records/endpoint.js';
import type { Registration, RegistrationState, RegistrationStatus } from './registration.js';

/** A record in the care of a registry. */
export class TrackedRegistration implements Registration {
  private readonly subject: BehaviorSubject<RegistrationStatus>;
  private closing: Promise<void> | undefined;

  /**
   * @param put writes what the record is to say
   * @param remove takes the record out: called within `close`, so that whoever takes its place comes after it; never rejects
   */
  constructor(
    initial: RegistrationStatus,
    private readonly put: (endpoint: Endpoint) => void,
    private readonly remove: () => void | Promise<void>,
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
    if (this.closing !== undefined) return this.closing;
    let done!: () => void;
    // In its place before anybody is told: who hears of the removal may close, or update, what is being closed.
    this.closing = new Promise((resolve) => (done = resolve));
    void this.takeOut().then(done);
    return this.closing;
  }

  /** Nothing more will be done for this record. */
  ended(): void {
    this.become('deregistered');
    this.subject.complete();
  }

  /** Tells of a new state; nothing comes after `deregistered`. */
  protected become(state: RegistrationState, error?: DiscoveryError): void {
    if (this.status.state === 'deregistered') return;
    if (this.status.state === state && this.status.error === error) return;
    const { service, key, address } = this.status;
    this.subject.next({ state, service, key, address, ...(error === undefined ? {} : { error }) });
  }

  private async takeOut(): Promise<void> {
    await this.remove();
    this.ended();
  }
}
