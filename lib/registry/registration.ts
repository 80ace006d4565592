/** One endpoint announced in a registry. */
import type { Observable } from 'rxjs';
import type { DiscoveryError } from '../core/discovery-error.js';
import type { Endpoint } from '../core/records/endpoint.js';

/** The endpoint to announce, and under which service and key. */
export interface RegistrationRequest {
  readonly service: string;
  readonly endpoint: Endpoint;
  /** How long the record outlives a process that dies, in seconds; 2 or more for etcd. */
  readonly ttlSeconds: number;
  /** The part of the key behind the service; by default the endpoint's address. */
  readonly key?: string;
}

/**
 * - `registering`: the record is not in the registry, or the registry refuses its new content (`error` says
 *   why); the retries do not end.
 * - `registered`: the registry has the record with our value, as last verified.
 * - `unreachable`: the record was registered, and the registry does not answer; the record stays until its
 *   lease runs out.
 * - `conflict`: another process wrote our key; we write it again, with backoff.
 * - `deregistered`: the record was removed on purpose.
 */
export type RegistrationState =
  'registering' | 'registered' | 'unreachable' | 'conflict' | 'deregistered';

/** The status of a registration. */
export interface RegistrationStatus {
  readonly state: RegistrationState;
  readonly service: string;
  /** The full key of the record in the registry. */
  readonly key: string;
  readonly address: string;
  /** Why the state is not `registered`, if the reason is known. */
  readonly error?: DiscoveryError;
}

/** An open registration. It lasts until it is closed. */
export interface Registration {
  readonly status: RegistrationStatus;
  /** The current status, then every change; completes after `deregistered`. */
  readonly status$: Observable<RegistrationStatus>;
  /** Replaces the content of the record (weight, metadata); the address stays. */
  update(endpoint: Endpoint): void;
  /**
   * Removes the record. Resolves when it is removed, or when the registry did not answer in time; the record
   * then stays until its lease runs out. Never rejects; further calls return the same promise.
   */
  close(): Promise<void>;
}
