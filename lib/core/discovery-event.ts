/** The events of registration and discovery: one per change of state, on one typed stream per registry. */
import type { DiscoveryError } from './discovery-error.js';
import type { IgnoredKind } from './records/ignored-records.js';

/** An event: one change of state. No event is emitted per call or per keepalive. */
export type DiscoveryEvent = RegistrationEvent | WatchEvent | ConnectionEvent | DirectoryEvent;

/** Events of a lease and the records under it. */
export type RegistrationEvent =
  | {
      readonly type: 'lease-granted';
      readonly leaseId: string;
      readonly ttlMs: number;
    }
  /**
   * The registry does not know the lease any more. The lease keeper requests a new lease at once. It backs
   * off first if the lost lease had just been granted or renewed, or if it is the second lease in a row that
   * was lost before a renewal.
   */
  | { readonly type: 'lease-lost'; readonly leaseId: string }
  /** Our record is in the registry, under our lease. */
  | {
      readonly type: 'registered';
      readonly key: string;
      readonly leaseId: string;
    }
  /** Our record replaced the record that an earlier process left under our key. */
  | {
      readonly type: 'record-taken-over';
      readonly key: string;
      readonly previousValue: string;
    }
  /** Our record was deleted while our lease lived; the lease keeper has written it again. */
  | { readonly type: 'record-restored'; readonly key: string }
  /** Another process wrote our key while we held it. The lease keeper overwrites it again, with backoff. */
  | {
      readonly type: 'conflict';
      readonly key: string;
      readonly foreignValue: string;
    }
  /** The registry does not answer; the lease may still live. Retries go on until the registry is closed. */
  | {
      readonly type: 'lease-unreachable';
      readonly error: DiscoveryError;
      readonly retryInMs: number;
      /**
       * The time to live of the lease, in milliseconds. Present only if the failed request was to remove the
       * records: if no retry succeeds, the records expire this long after the last renewal of the lease.
       */
      readonly removalTtlMs?: number;
    }
  /**
   * The registry was closed, but its lease could not be revoked: the records under the lease expire `ttlMs`
   * milliseconds after its last renewal. There is no retry.
   */
  | {
      readonly type: 'lease-left';
      readonly leaseId: string;
      readonly ttlMs: number;
      readonly error: DiscoveryError;
    }
  /**
   * The registry answers and refuses our record: quota, permission, size. The lease keeper retries until the
   * registry is closed. The event is not repeated before the record was accepted or the registry was
   * unreachable.
   */
  | {
      readonly type: 'record-refused';
      readonly key: string;
      readonly error: DiscoveryError;
      readonly retryInMs: number;
      /**
       * The time to live of the lease, in milliseconds. Present only if the refused request was to remove the
       * record: if no retry succeeds, the record expires this long after the last renewal of the lease.
       */
      readonly removalTtlMs?: number;
    }
  /**
   * The registry did not answer for longer than the lease's time to live: it has deleted the records under
   * the lease, or will do so once it runs again.
   */
  | { readonly type: 'lease-expired'; readonly leaseId: string }
  /** The registry answers again after `lease-unreachable`, and a renewed lease is held. */
  | { readonly type: 'lease-recovered'; readonly leaseId: string }
  /** Our record was removed on purpose. Not emitted if the key holds the record of another process. */
  | { readonly type: 'deregistered'; readonly key: string };

/** Events of the watch on one service's prefix. */
export type WatchEvent =
  /** The list is complete and the watch is confirmed: clients have what the registry has. */
  | {
      readonly type: 'watch-synced';
      readonly prefix: string;
      readonly revision: string;
    }
  /**
   * The watch failed; the registry is listed again in `retryInMs` milliseconds. Clients keep the last list,
   * if there is one.
   */
  | {
      readonly type: 'watch-interrupted';
      readonly prefix: string;
      readonly error: DiscoveryError;
      readonly retryInMs: number;
      /** Present if no complete list has arrived since the watch started. */
      readonly beforeFirstList?: true;
    }
  /** The registry was wiped or restored: its revision went back, or its cluster id changed. */
  | { readonly type: 'registry-reset'; readonly prefix: string }
  /**
   * Some values under the prefix are not endpoints that a client can dial; lists leave these values out.
   * Emitted once per kind and prefix. Emitted again as soon as their number has grown tenfold, and if such
   * values return after there were none; the event for a return comes an hour after the last event at the
   * earliest.
   */
  | {
      readonly type: 'record-ignored';
      readonly prefix: string;
      /** What is wrong with the values, or which framework wrote them. */
      readonly kind: IgnoredKind;
      /** How many values of this kind there are. */
      readonly count: number;
      /** The key of one of the values, as an example. */
      readonly key: string;
      /** What is wrong with the value under `key`. */
      readonly reason: string;
    };

/** Events of the connection to the registry. */
export type ConnectionEvent =
  /** The options have user and password, but the registry's authentication is off: no request has a token. */
  | { readonly type: 'auth-unused' }
  /** The member list of the registry changed. */
  | {
      readonly type: 'members-changed';
      /** URLs of the members that are used from now on; if empty, the members of the options stay in use. */
      readonly members: readonly string[];
      /** URLs of members that are not used, because only the options have TLS or only the URL has TLS. */
      readonly ignored: readonly string[];
    }
  /** The registry refuses to list its members; the known members stay in use. */
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
  /**
   * The registry removed endpoints, perhaps by its own fault: clients go on using each of these endpoints
   * while a connection to the endpoint is ready.
   */
  | {
      readonly type: 'removals-held';
      readonly service: string;
      readonly addresses: readonly string[];
      /**
       * `registry-returned`: the registry had been away. `many-at-once`: it removed many endpoints at once.
       * `list-emptied`: it removed the last endpoint, whose server had not announced its shutdown
       * (`draining`).
       */
      readonly reason: 'registry-returned' | 'many-at-once' | 'list-emptied';
    }
  /**
   * The holds of removed endpoints ended: the registry lists each endpoint again, or clients stop using it.
   */
  | {
      readonly type: 'removals-released';
      readonly service: string;
      readonly addresses: readonly string[];
      /**
       * `listed`: the registry lists the endpoints again. `disconnected`: their connections ended. `expired`:
       * the longest allowed hold is over.
       */
      readonly reason: 'listed' | 'disconnected' | 'expired';
    }
  /** The registry has not answered since the start: clients use a list that was saved on disk. */
  | {
      readonly type: 'snapshot-used';
      readonly service: string;
      readonly total: number;
      /** When the list came from the registry, in milliseconds since 1970. */
      readonly savedAt: number;
    }
  /**
   * The service config that the registry has is not a valid gRPC service config; the previous one stays in
   * use, if there is one.
   */
  | {
      readonly type: 'service-config-ignored';
      readonly service: string;
      readonly reason: string;
      /** Present if no service config from the registry was in use: the options of the clients apply. */
      readonly isFirst?: true;
    }
  /**
   * The service config has names that the client's proto does not have and that were probably meant for this
   * client: a method of a service that the proto has, or a service whose name resembles the name of a service
   * of the proto. The rest of the config is used.
   */
  | {
      readonly type: 'service-config-names-unknown';
      readonly service: string;
      readonly names: string;
    }
  /** The file of saved lists cannot be read or written; nothing else is affected. */
  | { readonly type: 'snapshot-failed'; readonly file: string; readonly reason: string };
