/** What happens in registration and discovery, one event per change of state, on one typed stream per registry. */
import type { DiscoveryError } from './discovery-error.js';
import type { IgnoredKind } from './records/ignored-records.js';

/** A change of state. Never emitted per call or per keepalive. */
export type DiscoveryEvent = RegistrationEvent | WatchEvent | ConnectionEvent | DirectoryEvent;

/** Events of the lease and the records held under it. */
export type RegistrationEvent =
  | {
      readonly type: 'lease-granted';
      readonly leaseId: string;
      readonly ttlMs: number;
    }
  /** The registry says the lease is gone; a new one is asked for at once. */
  | { readonly type: 'lease-lost'; readonly leaseId: string }
  /** The record is in the registry under our lease. */
  | {
      readonly type: 'registered';
      readonly key: string;
      readonly leaseId: string;
    }
  /** A record that an earlier process left under our key was replaced. */
  | {
      readonly type: 'record-taken-over';
      readonly key: string;
      readonly previousValue: string;
    }
  /** The record was gone while the lease lived, and was put back. */
  | { readonly type: 'record-restored'; readonly key: string }
  /** Another process wrote our key while we held it; it is contested, with backoff. */
  | {
      readonly type: 'conflict';
      readonly key: string;
      readonly foreignValue: string;
    }
  /** The registry does not answer; the lease may still live. Attempts go on without end. */
  | {
      readonly type: 'lease-unreachable';
      readonly error: DiscoveryError;
      readonly retryInMs: number;
    }
  /** The registry answers, and refuses this record: space, rights, size. Attempts go on without end; told once until it is in place. */
  | {
      readonly type: 'record-refused';
      readonly key: string;
      readonly error: DiscoveryError;
      readonly retryInMs: number;
    }
  /** The registry has not answered for longer than the lease lives: the records are gone, or will be once it does. */
  | { readonly type: 'lease-expired'; readonly leaseId: string }
  /** The registry answers again, after `lease-unreachable` and once a lease is held and renewed. */
  | { readonly type: 'lease-recovered'; readonly leaseId: string }
  /** The record was taken out on purpose. Not told where another process's record stands under its key. */
  | { readonly type: 'deregistered'; readonly key: string };

/** Events of the watch on one service's prefix. */
export type WatchEvent =
  /** List and watch agree with the registry. */
  | {
      readonly type: 'watch-synced';
      readonly prefix: string;
      readonly revision: string;
    }
  /** The watch is interrupted; it lists again after `retryInMs`. The last list stays in use. */
  | {
      readonly type: 'watch-interrupted';
      readonly prefix: string;
      readonly error: DiscoveryError;
      readonly retryInMs: number;
    }
  /** The registry's revision went back, or its cluster id changed: it was wiped or restored. */
  | { readonly type: 'registry-reset'; readonly prefix: string }
  /**
   * Values under the prefix are no endpoints that a client could dial; they are left out. Once per kind and prefix, again when they
   * have become ten times as many, and after an hour at the earliest when they had been gone.
   */
  | {
      readonly type: 'record-ignored';
      readonly prefix: string;
      /** What is wrong with them, or which framework wrote them. */
      readonly kind: IgnoredKind;
      /** How many there are. */
      readonly count: number;
      /** The key of one of them. */
      readonly key: string;
      /** What is wrong with that one. */
      readonly reason: string;
    };

/** Events of the connection to the registry. */
export type ConnectionEvent =
  /** A user and password are set, and the registry asks for none: requests go out without, until it does. */
  | { readonly type: 'auth-unused' }
  /** The registry named its members, and they are others than before. */
  | {
      readonly type: 'members-changed';
      /** Those that are asked from now on, as URLs; where there are none, those of the options stay. */
      readonly members: readonly string[];
      /** URLs that are left out: they cannot be dialled in the way of the options, with TLS or without. */
      readonly ignored: readonly string[];
    }
  /** The registry refuses to name its members; those known stay in use. */
  | { readonly type: 'members-unknown'; readonly error: DiscoveryError };

/** Events of the list that clients use. */
export type DirectoryEvent =
  | {
      readonly type: 'endpoints-changed';
      readonly service: string;
      readonly added: readonly string[];
      readonly removed: readonly string[];
      readonly total: number;
    }
  /** The registry no longer lists these, which may be its own fault: they stay in use while their connections are ready. */
  | {
      readonly type: 'removals-held';
      readonly service: string;
      readonly addresses: readonly string[];
      /** The registry had been away; many went at once; the last one went, and did not say that it leaves. */
      readonly reason: 'registry-returned' | 'many-at-once' | 'list-emptied';
    }
  /** Held endpoints are held no longer. */
  | {
      readonly type: 'removals-released';
      readonly service: string;
      readonly addresses: readonly string[];
      /** The registry lists them again; their connection ended; they were held for as long as is allowed. */
      readonly reason: 'listed' | 'disconnected' | 'expired';
    }
  /** The registry has not answered since the start: a list that was kept on disk is used. */
  | {
      readonly type: 'snapshot-used';
      readonly service: string;
      readonly total: number;
      /** When the registry said so, in milliseconds since 1970. */
      readonly savedAt: number;
    }
  /** What the service asks of its clients is no gRPC service config; the one before stays in use. */
  | { readonly type: 'service-config-ignored'; readonly service: string; readonly reason: string }
  /** The service's config is used, but for names of methods or services that a client's proto does not have. */
  | {
      readonly type: 'service-config-names-unknown';
      readonly service: string;
      readonly names: string;
    }
  /** The kept lists cannot be read or written; everything else goes on. */
  | { readonly type: 'snapshot-failed'; readonly file: string; readonly reason: string };
