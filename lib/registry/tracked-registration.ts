/**
 * A registration with its status. It passes updates to its registry until it is closed, and then the removal.
 */
import { BehaviorSubject, type Observable } from 'rxjs';
import type { DiscoveryError } from '../core/discovery-error.js';
import type { Endpoint } from '../core/records/endpoint.js';
import type { Registration, RegistrationState, RegistrationStatus } from './registration.js';

/** A registration whose record the registry writes and removes. */
export class TrackedRegistration implements Registration {
  private readonly subject: BehaviorSubject<RegistrationStatus>;
  private closing: Promise<void> | undefined;

  /**
   * @param put writes the content of the record
   * @param remove removes the record; called within `close`, so that a new registration of the same key comes
   *   after it. Must not reject
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
    // Set before the removal is announced, because a listener may then call `close` or `update` on this
    // registration.
    this.closing = new Promise((resolve) => (done = resolve));
    void this.takeOut().then(done);
    return this.closing;
  }

  /** Ends the registration: emits `deregistered` and completes. */
  ended(): void {
    this.become('deregistered');
    this.subject.complete();
  }

  /** Emits a new state; no state follows `deregistered`. */
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
