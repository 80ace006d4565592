/** One registration in etcd: its state follows from the events of its record and its lease. */
import type { RegistrationEvent } from '../../core/discovery-event.js';
import { TrackedRegistration } from '../../registry/tracked-registration.js';

/** Derives the status of one registration from the events of its record and of its lease. */
export class EtcdRegistration extends TrackedRegistration {
  /** Updates the status after an event of the record, or of its lease. */
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
        // `conflict` stays: the record of another process does not end with our lease.
        return this.become(state === 'conflict' ? state : 'registering');
      case 'lease-unreachable':
        return this.become(state === 'registered' ? 'unreachable' : state, event.error);
      case 'lease-recovered':
        // Only `unreachable` ends here: for a record that was not in place, an event of its own follows.
        return this.become(state === 'unreachable' ? 'registered' : state);
      default:
    }
  }
}
