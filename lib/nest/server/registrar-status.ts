/** The status of all registrations of an application together. */
import type { RegistrationStatus } from '../../registry/registration.js';

/**
 * - `idle`: nothing to register, no server bound yet, or the application is not ready.
 * - `registering`: at least one record is not in the registry; attempts go on without end.
 * - `registered`: every record is in the registry.
 * - `draining`: the records are being removed.
 * - `drained`: the records are removed; nothing is registered again.
 */
export type RegistrarState = 'idle' | 'registering' | 'registered' | 'draining' | 'drained';

/** The status of the application's registrations. */
export interface RegistrarStatus {
  readonly state: RegistrarState;
  /** One entry per service and bound server. */
  readonly registrations: readonly RegistrationStatus[];
}

/** The state of registrations while the application removes none of them. */
export function stateOf(registrations: readonly RegistrationStatus[]): RegistrarState {
  if (registrations.length === 0) return 'idle';
  return registrations.every(({ state }) => state === 'registered') ? 'registered' : 'registering';
}
