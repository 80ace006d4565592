/** How to reach etcd. */
import type { Etcd3 } from 'etcd3';
import type { EtcdTimings } from './etcd-timings.js';

/** Password authentication. */
export interface EtcdAuth {
  readonly username: string;
  readonly password: string;
}

/**
 * TLS for the connections to etcd. With `cert` and `key` it is mutual. PEM text or bytes, never names of
 * files.
 */
export interface EtcdTls {
  /** The certificate authority that signed the server's certificate. */
  readonly ca: string | Uint8Array;
  /** The client's certificate chain. */
  readonly cert?: string | Uint8Array;
  /** The client's private key. */
  readonly key?: string | Uint8Array;
}

/** Connection to an etcd cluster. */
export interface EtcdOptions {
  /** URLs of the members, all `http://` or all `https://`. */
  readonly hosts: readonly string[];
  /** The beginning of every key, verbatim: with `prod/` a key is `prod/api/10.0.0.7:9999`. Default empty. */
  readonly namespace?: string;
  readonly auth?: EtcdAuth;
  readonly tls?: EtcdTls;
  /** How long one request to one member may take, in milliseconds, 100–60,000. Default 2,000. */
  readonly requestTimeoutMs?: number;
  /**
   * Mean time between two reads of etcd's own list of members, in milliseconds, 1,000–86,400,000; each is
   * drawn from ±50 % around it. The client URLs of the members, learners left out, then replace `hosts`, as
   * with `AutoSync` of etcd's Go client, so that members can be replaced one by one under running processes.
   * URLs with another scheme than that of `hosts` are left out, with a warning; `hosts` that are not in the
   * list stay and are tried last. Default: never.
   */
  readonly syncIntervalMs?: number;
  /** Times of the lease, the watch and the attempts to reach etcd. The defaults suit production. */
  readonly timings?: EtcdTimings;
  /**
   * A client of your own instead of `hosts`, `auth`, `tls` and `syncIntervalMs`: the `Etcd3` itself, not the
   * result of its `namespace()`; use the option `namespace` for that. The registry does not close it. The
   * client's own retries come on top of ours; the registry waits for them no longer than `requestTimeoutMs`.
   */
  readonly client?: Etcd3;
}

/** The default of {@link EtcdOptions.requestTimeoutMs}. */
export const DEFAULT_REQUEST_TIMEOUT_MS = 2_000;
