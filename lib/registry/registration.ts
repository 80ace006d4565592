/** One endpoint announced in a registry. */
import type { Observable } from 'rxjs';
import type { DiscoveryError } from '../core/discovery-error.js';
import type { Endpoint } from '../core/records/endpoint.js';

/** What to announce. */
export interface RegistrationRequest {
  readonly service: string;
  readonly endpoint: Endpoint;
  /** How long the record outlives a process that dies, in seconds; 2 or more for etcd. */
  readonly ttlSeconds: number;
  /** The part of the key behind the service; by default the endpoint's address. */
  readonly key?: string;
}

/**
 * - `registering`: not in the registry yet, or no longer, or the registry refuses what it should say (`error` tells why); attempts go
 *   on without end.
 * - `registered`: in the registry with our value, as last verified.
 * - `unreachable`: was registered, and the registry does not answer; the record lives until its lease runs out.
 * - `conflict`: another process wrote our key; it is contested with backoff.
 * - `deregistered`: taken out on purpose.
 */
export type RegistrationState =
  'registering' | 'registered' | 'unreachable' | 'conflict' | 'deregistered';

/** How a registration stands. */
export interface RegistrationStatus {
  readonly state: RegistrationState;
  readonly service: string;
  /** The full key of the record in the registry. */
  readonly key: string;
  readonly address: string;
  /** Why it is not `registered`, where that is known. */
  readonly error?: DiscoveryError;
}

/** A registration in progress. It lives until it is closed. */
export interface Registration {
  readonly status: RegistrationStatus;
  /** The current status, then every change; completes after `deregistered`. */
  readonly status$: Observable<RegistrationStatus>;
  /** Replaces what the record says (weight, metadata); the address stays. */
  update(endpoint: Endpoint): void;
  /**
   * Takes the record out. Resolves when it is out, or when the registry did not answer in time and the record is left to
   * its lease. Never rejects; further calls return the same promise.
   */
  close(): Promise<void>;
}
