/** The events of registration and discovery: one per change of state, on one typed stream per registry. */
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
  /**
   * The registry does not know the lease any more. The keeper requests a new one: at once, or after a backoff
   * if the lease had just been granted or renewed, or was the second that was lost without a renewal between.
   */
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
  /** The record was deleted while the lease lived, and was written again. */
  | { readonly type: 'record-restored'; readonly key: string }
  /** Another process wrote our key while we held it; our record is written again, with backoff. */
  | {
      readonly type: 'conflict';
      readonly key: string;
      readonly foreignValue: string;
    }
  /** The registry does not answer; the lease may still live. Retries do not end before the registry is closed. */
  | {
      readonly type: 'lease-unreachable';
      readonly error: DiscoveryError;
      readonly retryInMs: number;
      /** Present if the records were to be removed: if no retry succeeds, they end with their lease, so many milliseconds after a renewal. */
      readonly removalTtlMs?: number;
    }
  /**
   * The registry was closed and did not revoke the lease: what is registered under it ends `ttlMs` milliseconds after
   * the last renewal. There is no retry.
   */
  | {
      readonly type: 'lease-left';
      readonly leaseId: string;
      readonly ttlMs: number;
      readonly error: DiscoveryError;
    }
  /**
   * The registry answers and refuses this record: quota, permission, size. Retries do not end before the registry is
   * closed; emitted once until the record is in place.
   */
  | {
      readonly type: 'record-refused';
      readonly key: string;
      readonly error: DiscoveryError;
      readonly retryInMs: number;
      /** Present if the record was to be removed; as in `lease-unreachable`. */
      readonly removalTtlMs?: number;
    }
  /** The registry did not answer for longer than the time to live: it has deleted the records, or will once it is back. */
  | { readonly type: 'lease-expired'; readonly leaseId: string }
  /** The registry answers again, after `lease-unreachable` and once a lease is held and renewed. */
  | { readonly type: 'lease-recovered'; readonly leaseId: string }
  /** The record was removed on purpose. Not emitted if another process's record is under its key. */
  | { readonly type: 'deregistered'; readonly key: string };

/** Events of the watch on one service's prefix. */
export type WatchEvent =
  /** List and watch agree with the registry. */
  | {
      readonly type: 'watch-synced';
      readonly prefix: string;
      readonly revision: string;
    }
  /** The watch broke; it lists again after `retryInMs`. Clients keep the last list, if there is one. */
  | {
      readonly type: 'watch-interrupted';
      readonly prefix: string;
      readonly error: DiscoveryError;
      readonly retryInMs: number;
      /** Present if no whole list has come since the start. */
      readonly beforeFirstList?: true;
    }
  /** The registry's revision went back, or its cluster id changed: it was wiped or restored. */
  | { readonly type: 'registry-reset'; readonly prefix: string }
  /**
   * Some values under the prefix are not endpoints that a client can dial; lists leave them out. Emitted once per kind
   * and prefix, again when their number has grown tenfold, and when they return, an hour later at the earliest.
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
  /** The options have user and password, but the registry's authentication is off: requests go without a token. */
  | { readonly type: 'auth-unused' }
  /** The member list of the registry changed. */
  | {
      readonly type: 'members-changed';
      /** URLs of the members in use from now on; if empty, the members of the options stay in use. */
      readonly members: readonly string[];
      /** URLs that are not used: the options have TLS and the URL does not, or the other way round. */
      readonly ignored: readonly string[];
    }
  /** The registry refuses to list its members; the known ones stay in use. */
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
  /** The registry removed these, perhaps by its own fault: clients use them while their connections are ready. */
  | {
      readonly type: 'removals-held';
      readonly service: string;
      readonly addresses: readonly string[];
      /** The registry had been away; many were removed at once; the last one was removed without `draining`. */
      readonly reason: 'registry-returned' | 'many-at-once' | 'list-emptied';
    }
  /** Holds of endpoints ended. */
  | {
      readonly type: 'removals-released';
      readonly service: string;
      readonly addresses: readonly string[];
      /** The registry lists them again; their connection ended; the longest allowed hold is over. */
      readonly reason: 'listed' | 'disconnected' | 'expired';
    }
  /** The registry has not answered since the start: clients use a list from disk. */
  | {
      readonly type: 'snapshot-used';
      readonly service: string;
      readonly total: number;
      /** When the list came from the registry, in milliseconds since 1970. */
      readonly savedAt: number;
    }
  /** The published value is not a valid gRPC service config; the previous one stays in use, if there is one. */
  | {
      readonly type: 'service-config-ignored';
      readonly service: string;
      readonly reason: string;
      /** Present if no published config was in use: the options of the clients apply. */
      readonly isFirst?: true;
    }
  /** The service config names methods or services that the client's proto does not have; the rest is used. */
  | {
      readonly type: 'service-config-names-unknown';
      readonly service: string;
      readonly names: string;
    }
  /** The file of saved lists cannot be read or written; nothing else is affected. */
  | { readonly type: 'snapshot-failed'; readonly file: string; readonly reason: string };
