/** States, events and effects of the lease machine (`lease-machine.ts`), as data. */
import type { BackoffPolicy } from '../backoff.js';
import type { Random } from '../clock.js';
import type { DiscoveryError } from '../discovery-error.js';
import type { RegistrationEvent } from '../discovery-event.js';
import type { LeaseRecords, RecordRequest, SparedRecords } from './lease-record.js';
import type { RecordObservation } from './record-observation.js';

/** A lease that the registry granted. */
export interface HeldLease {
  readonly id: string;
  /** The time to live that the registry granted, in milliseconds. It may be more than was asked for. */
  readonly ttlMs: number;
  /** When the last request that renewed the lease was sent, in milliseconds of the machine's clock. */
  readonly renewedAt: number;
}

/**
 * The phase of the machine. At most one request is in flight, with one exception: `stop` may send the
 * revocation while a sync is in flight.
 */
export type LeasePhase =
  /** The caller wants no record, and no lease is held. */
  | { readonly name: 'idle' }
  /** A lease was requested. `final`: the machine was stopped, and revokes the lease once it is granted. */
  | { readonly name: 'granting'; readonly attempt: number; readonly final?: true }
  /** A request verifies, writes or removes records and, if `renew` is true, renews the lease. */
  | {
      readonly name: 'syncing';
      readonly lease: HeldLease;
      readonly attempt: number;
      readonly renew: boolean;
    }
  /** No request is due until the timer fires: all records are in place, or in conflict. */
  | { readonly name: 'resting'; readonly lease: HeldLease }
  | {
      readonly name: 'backing-off';
      readonly lease: HeldLease | undefined;
      readonly attempt: number;
    }
  /** The lease is being revoked. `final`: the machine was stopped. */
  | {
      readonly name: 'revoking';
      readonly lease: HeldLease;
      readonly attempt: number;
      readonly final: boolean;
    }
  | { readonly name: 'stopped' };

/** The whole state of the lease machine. */
export interface LeaseMachine {
  readonly phase: LeasePhase;
  readonly records: LeaseRecords;
  /** Records that other processes may give back to our lease. */
  readonly spared: SparedRecords;
  /** The caller's wishes changed after the last request was built: the machine acts on them afterwards. */
  readonly dirty: boolean;
  /** `lease-expired` was emitted, and the lease has not been renewed since. */
  readonly expired: boolean;
  /** `lease-unreachable` was emitted, and `lease-recovered` has not been since. */
  readonly interrupted: boolean;
  /** How many leases in a row were lost since a lease was last renewed. */
  readonly losses: number;
}

/**
 * An event of the lease machine. `at`: when the answered request was sent, in milliseconds of the machine's
 * clock.
 */
export type LeaseEvent =
  /** The caller wants this record in the registry, with this value. */
  | { readonly type: 'want'; readonly key: string; readonly value: string }
  /** The caller wants these records removed. */
  | { readonly type: 'unwant'; readonly keys: readonly string[] }
  /**
   * Removes every record, revokes the lease, and does nothing after that. A second `stop` ends the wait for a
   * lease that is being granted.
   */
  | { readonly type: 'stop' }
  | { readonly type: 'timer' }
  /**
   * The registry was unreachable for all requests of this process, and answers again: the machine retries, or
   * verifies the records, at once.
   */
  | { readonly type: 'registry-was-away' }
  | {
      readonly type: 'granted';
      readonly leaseId: string;
      readonly ttlMs: number;
      readonly at: number;
    }
  /** The registry accepted all requests of a sync. */
  | {
      readonly type: 'synced';
      readonly observations: ReadonlyMap<string, RecordObservation>;
      readonly at: number;
    }
  /** The registry answered all requests of a sync, and refused some records. */
  | {
      readonly type: 'refused';
      readonly refusals: ReadonlyMap<string, DiscoveryError>;
      readonly observations: ReadonlyMap<string, RecordObservation>;
      readonly at: number;
    }
  /** The registry does not know the lease. */
  | { readonly type: 'lease-gone' }
  /**
   * The lease was revoked. `observations`: what the request found about the records before the registry
   * deleted them with the lease.
   */
  | { readonly type: 'revoked'; readonly observations?: ReadonlyMap<string, RecordObservation> }
  /**
   * A request failed, or the registry refused the lease itself. `renewedAt` is set if the request had renewed
   * the lease before it failed, `observations` if it had found out about some records.
   */
  | {
      readonly type: 'failed';
      readonly error: DiscoveryError;
      readonly renewedAt?: number;
      readonly observations?: ReadonlyMap<string, RecordObservation>;
    };

/** An effect of a step: what the runner of the lease machine is to do. */
export type LeaseEffect =
  | { readonly type: 'grant' }
  | {
      readonly type: 'sync';
      readonly leaseId: string;
      readonly renew: boolean;
      readonly records: readonly RecordRequest[];
    }
  /** Announces the removal of the records, then revokes the lease, with which the registry deletes them. */
  | {
      readonly type: 'revoke';
      readonly leaseId: string;
      readonly records: readonly RecordRequest[];
    }
  /** Starts a timer, which replaces any earlier timer. */
  | { readonly type: 'timer'; readonly delayMs: number }
  | { readonly type: 'emit'; readonly event: RegistrationEvent };

/** What a step of the lease machine may read besides state and event. */
export interface LeaseContext {
  /** The time in milliseconds of the machine's clock. */
  readonly now: number;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  /** How many keepalives are sent per time to live of the lease. */
  readonly keepalivesPerTtl: number;
  /**
   * The random part of the keepalive interval, as a share of the interval. Because of it, leases that were
   * granted at the same time are not renewed at the same times.
   */
  readonly keepaliveJitter: number;
}

/** The result of a step: the next state, and what to do on the way into it. */
export interface LeaseStep {
  readonly machine: LeaseMachine;
  readonly effects: readonly LeaseEffect[];
}

/** The state of the lease machine before its first event. */
export const INITIAL_LEASE_MACHINE: LeaseMachine = {
  phase: { name: 'idle' },
  records: new Map(),
  spared: new Map(),
  dirty: false,
  expired: false,
  interrupted: false,
  losses: 0,
};
