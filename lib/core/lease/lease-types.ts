/** States, events and effects of the lease machine (`lease-machine.ts`), as data. */
import type { BackoffPolicy } from '../backoff.js';
import type { Random } from '../clock.js';
import type { DiscoveryError } from '../discovery-error.js';
import type { RegistrationEvent } from '../discovery-event.js';
import type { LeaseRecords, RecordRequest, SparedRecords } from './lease-record.js';
import type { RecordObservation } from './record-observation.js';

/** A lease the registry granted. */
export interface HeldLease {
  readonly id: string;
  /** What the registry granted, in milliseconds; may be more than was asked for. */
  readonly ttlMs: number;
  /** When the last request that renewed it was sent. */
  readonly renewedAt: number;
}

/** Where the machine is. At most one request is in flight; only the revocation at `stop` may overtake a sync. */
export type LeasePhase =
  /** No record wanted and no lease held. */
  | { readonly name: 'idle' }
  /** `final`: the machine was stopped; it revokes the lease as soon as it is granted. */
  | { readonly name: 'granting'; readonly attempt: number; readonly final?: true }
  /** Renewing the lease (`renew`), and verifying, writing or removing records. */
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
  /** `final`: the machine was stopped. */
  | {
      readonly name: 'revoking';
      readonly lease: HeldLease;
      readonly attempt: number;
      readonly final: boolean;
    }
  | { readonly name: 'stopped' };

/** The whole state. */
export interface LeaseMachine {
  readonly phase: LeasePhase;
  readonly records: LeaseRecords;
  /** Records that other processes may give back to our lease. */
  readonly spared: SparedRecords;
  /** Wishes changed after the last request was built: the machine acts on them once it is answered. */
  readonly dirty: boolean;
  /** `lease-expired` was emitted, and the lease was not renewed since. */
  readonly expired: boolean;
  /** `lease-unreachable` was emitted, and `lease-recovered` was not yet. */
  readonly interrupted: boolean;
  /** How many leases in a row were lost before their first renewal. */
  readonly losses: number;
}

/** What can happen to the machine. `at` is when the request that is answered was sent. */
export type LeaseEvent =
  /** The caller wants this record in the registry, with this value. */
  | { readonly type: 'want'; readonly key: string; readonly value: string }
  /** The caller wants these records removed. */
  | { readonly type: 'unwant'; readonly keys: readonly string[] }
  /**
   * Remove every record, revoke the lease, and do nothing after that. A second `stop` ends the wait for a lease
   * that is being granted.
   */
  | { readonly type: 'stop' }
  | { readonly type: 'timer' }
  /** The registry was unreachable for the whole process and answers again: retry, or verify the records, at once. */
  | { readonly type: 'registry-was-away' }
  | {
      readonly type: 'granted';
      readonly leaseId: string;
      readonly ttlMs: number;
      readonly at: number;
    }
  /** The registry accepted the whole sync. */
  | {
      readonly type: 'synced';
      readonly observations: ReadonlyMap<string, RecordObservation>;
      readonly at: number;
    }
  /** The registry answered the whole sync, and refused some records. */
  | {
      readonly type: 'refused';
      readonly refusals: ReadonlyMap<string, DiscoveryError>;
      readonly observations: ReadonlyMap<string, RecordObservation>;
      readonly at: number;
    }
  /** The registry does not know the lease. */
  | { readonly type: 'lease-gone' }
  /** `observations`: what the request found about the records before the registry deleted them with the lease. */
  | { readonly type: 'revoked'; readonly observations?: ReadonlyMap<string, RecordObservation> }
  /**
   * The request failed, or the registry refused the lease itself. `renewedAt` is set if the request had renewed the
   * lease before it failed, `observations` if it had found out about some records.
   */
  | {
      readonly type: 'failed';
      readonly error: DiscoveryError;
      readonly renewedAt?: number;
      readonly observations?: ReadonlyMap<string, RecordObservation>;
    };

/** What the runner is to do. */
export type LeaseEffect =
  | { readonly type: 'grant' }
  | {
      readonly type: 'sync';
      readonly leaseId: string;
      readonly renew: boolean;
      readonly records: readonly RecordRequest[];
    }
  /** Announces the removal of the records, then revokes the lease; the registry deletes the records with it. */
  | {
      readonly type: 'revoke';
      readonly leaseId: string;
      readonly records: readonly RecordRequest[];
    }
  /** Replaces any earlier timer. */
  | { readonly type: 'timer'; readonly delayMs: number }
  | { readonly type: 'emit'; readonly event: RegistrationEvent };

/** What a step may look at besides state and event. */
export interface LeaseContext {
  /** Milliseconds. */
  readonly now: number;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  /** Keepalives per time to live. */
  readonly keepalivesPerTtl: number;
  /** Spread of the keepalive interval as a share of it, so that leases granted together drift apart. */
  readonly keepaliveJitter: number;
}

/** A next state and what to do on the way into it. */
export interface LeaseStep {
  readonly machine: LeaseMachine;
  readonly effects: readonly LeaseEffect[];
}

/** The machine before anything happened. */
export const INITIAL_LEASE_MACHINE: LeaseMachine = {
  phase: { name: 'idle' },
  records: new Map(),
  spared: new Map(),
  dirty: false,
  expired: false,
  interrupted: false,
  losses: 0,
};
