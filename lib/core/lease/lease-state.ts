/** States, events and effects of the lease machine (`lease-machine.ts`), as data. */
import type { BackoffPolicy } from '../backoff.js';
import type { Random } from '../clock.js';
import type { DiscoveryError } from '../discovery-error.js';
import type { RegistrationEvent } from '../discovery-event.js';
import type { LeaseRecords, RecordRequest } from './lease-record.js';
import type { RecordObservation } from './record-observation.js';
import type { SparedRecords } from './spared-records.js';

/** A lease the registry granted. */
export interface HeldLease {
  readonly id: string;
  /** What the registry granted, in milliseconds; may be more than was asked for. */
  readonly ttlMs: number;
  /** When the last request that renewed it was sent. */
  readonly renewedAt: number;
}

/** Where the machine is. At most one request is in flight, but for a revocation at `stop`. */
export type LeasePhase =
  /** No record wanted and no lease held. */
  | { readonly name: 'idle' }
  /** `final`: the lease is given back as soon as it is granted, and nothing comes after that. */
  | { readonly name: 'granting'; readonly attempt: number; readonly final?: true }
  /** Renewing the lease (`renew`), and verifying, writing or removing records. */
  | {
      readonly name: 'syncing';
      readonly lease: HeldLease;
      readonly attempt: number;
      readonly renew: boolean;
    }
  /** Everything is in place until the timer fires. */
  | { readonly name: 'resting'; readonly lease: HeldLease }
  | {
      readonly name: 'backing-off';
      readonly lease: HeldLease | undefined;
      readonly attempt: number;
    }
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
  /** Wishes changed since the last request was made up: look again as soon as it is answered. */
  readonly dirty: boolean;
  /** The lease was reported as expired and has not been renewed since. */
  readonly expired: boolean;
  /** It was told that the registry does not answer, and not yet that it does again. */
  readonly interrupted: boolean;
  /** How many leases in a row were gone before they were renewed once. */
  readonly losses: number;
}

/** What can happen to the machine. `at` is when the request that is answered was sent. */
export type LeaseEvent =
  /** Have this record, or have it with this value. */
  | { readonly type: 'want'; readonly key: string; readonly value: string }
  | { readonly type: 'unwant'; readonly keys: readonly string[] }
  /** Take everything out and revoke the lease, for good. Once more: do not wait for a lease that is being granted. */
  | { readonly type: 'stop' }
  | { readonly type: 'timer' }
  /** A sign that the registry answers again: do not wait any longer. */
  | { readonly type: 'registry-back' }
  /** The registry was away for everybody and answers again: besides, look whether what rests is still there. */
  | { readonly type: 'registry-was-away' }
  | {
      readonly type: 'granted';
      readonly leaseId: string;
      readonly ttlMs: number;
      readonly at: number;
    }
  | {
      readonly type: 'synced';
      readonly observations: ReadonlyMap<string, RecordObservation>;
      readonly at: number;
    }
  /** The registry answered all of a sync, and refused some records. */
  | {
      readonly type: 'refused';
      readonly refusals: ReadonlyMap<string, DiscoveryError>;
      readonly observations: ReadonlyMap<string, RecordObservation>;
      readonly at: number;
    }
  | { readonly type: 'lease-gone' }
  /** `observations`: what was found about records before they went with the lease. */
  | { readonly type: 'revoked'; readonly observations?: ReadonlyMap<string, RecordObservation> }
  /**
   * The request failed, or the lease itself was refused. `renewedAt` is set where it had renewed the lease before it did, `observations` where it had found out
   * about some records.
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
  /** Announces the removal of the records, then revokes the lease, and they go with it. */
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
  readonly now: number;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  /** Keepalives per time to live. Default `KEEPALIVES_PER_TTL`. */
  readonly keepalivesPerTtl?: number;
  /** Spread of the keepalive interval as a share of it. Default `KEEPALIVE_JITTER`. */
  readonly keepaliveJitter?: number;
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
