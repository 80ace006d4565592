/** One registration in etcd: its state follows from the events of its record and its lease. */
import type { RegistrationEvent } from '../../core/discovery-event.js';
import { TrackedRegistration } from '../../registry/tracked-registration.js';

/** A record in a lease keeper's care. */
export class EtcdRegistration extends TrackedRegistration {
  /** Takes in what has happened to the record, or to the lease it lives under. */
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
}
