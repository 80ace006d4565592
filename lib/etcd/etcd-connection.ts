/**
 * Clients for the members of an etcd cluster: every request gets a fresh deadline and is tried on each member in turn, and
 * a member that fails is left. The only file that imports etcd3.
 */
import { Etcd3, EtcdLeaseInvalidError, type IOptions } from 'etcd3';
import type { Observable } from 'rxjs';
import type { Clock, Random } from '../core/clock.js';
import { DiscoveryError } from '../core/discovery-error.js';
import { type EtcdCallOptions, within } from './call-options.js';
import {
  isStaleToken,
  isUnavailable,
  LeaseGoneError,
  StaleTokenError,
  toDiscoveryError,
} from './etcd-error.js';
import { DEFAULT_REQUEST_TIMEOUT_MS, type EtcdOptions } from './etcd-options.js';
import { resolveTimings } from './etcd-timings.js';
import { Reachability } from './reachability.js';

type FaultPolicy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** What a connection needs besides its options. */
export interface EtcdConnectionPorts {
  readonly clock: Clock;
  readonly random: Random;
}

/** A connection to an etcd cluster: one client per member, so that a bad member is left and a good one kept. */
export class EtcdConnection {
  private readonly requestTimeoutMs: number;
  private readonly members: Etcd3[];
  private readonly ownsMembers: boolean;
  private readonly reachability: Reachability;
  private current: number;
  private closed = false;

  constructor(
    private readonly options: EtcdOptions,
    ports: EtcdConnectionPorts,
  ) {
    this.requestTimeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    this.reachability = new Reachability({
      ...ports,
      timings: resolveTimings(options.timings),
      probe: () => this.request('probe', (member, call) => member.kv.range(PROBE, call), 'always'),
    });
    this.ownsMembers = options.client === undefined;
    this.members =
      options.client === undefined
        ? options.hosts.map((host) => createMember(host, options, this.requestTimeoutMs))
        : [options.client];
    // Processes that start together spread over the members.
    this.current = Math.floor(ports.random() * this.members.length);
  }

  /**
   * Fires when etcd answers again after a request had found no member that did, within `returnSpreadMs`. While etcd is away
   * one small read, after 100 ms at first and every `probeIntervalMs` later, finds that out, however long everybody backs off.
   */
  get back$(): Observable<void> {
    return this.reachability.back$;
  }

  /** Whether no member answered when last asked. */
  get isDown(): boolean {
    return this.reachability.isDown;
  }

  /**
   * Runs a request that is answered once, with a fresh deadline, on each member at most once. While no member answers it fails at
   * once: the probe asks for all, so that many leases and watches make no more attempts than one.
   *
   * @param what names the request in errors
   * @param mode `always`: ask even while no member answers; `last`: besides, with one deadline for all members, `withdrawalTimeoutMs`,
   *   for what has no second chance and must not hold up an exit
   * @param totalMs another deadline than that in mode `last`, in milliseconds
   * @throws DiscoveryError `REGISTRY_UNAVAILABLE`, `REGISTRY_REJECTED`, `CLOSED`; LeaseGoneError
   */
  async request<T>(
    what: string,
    run: (member: Etcd3, options: EtcdCallOptions) => Promise<T>,
    mode: 'unless-down' | 'always' | 'last' = 'unless-down',
    totalMs = this.withdrawalTimeoutMs,
  ): Promise<T> {
    const { reachability } = this;
    if (reachability.isDown && mode === 'unless-down' && !this.closed) {
      throw toDiscoveryError(what, reachability.failure);
    }
    let failure: unknown;
    const isLast = mode === 'last';
    const endMs = performance.now() + totalMs;
    for (let attempt = 0; attempt < this.members.length && !this.closed; attempt++) {
      const member = this.member();
      try {
        const shareMs = (endMs - performance.now()) / (this.members.length - attempt);
        const timeoutMs = isLast ? Math.max(0, shareMs) : this.requestTimeoutMs;
        const deadline = Date.now() + timeoutMs;
        const reply = await within(timeoutMs, run(member, { deadline }));
        reachability.answered();
        return reply;
      } catch (error) {
        if (error instanceof EtcdLeaseInvalidError) {
          reachability.answered();
          throw new LeaseGoneError(error.message, { cause: error });
        }
        failure = error;
        // Another member would refuse it for the same reason.
        if (!isUnavailable(error)) break;
        this.leave(member);
      }
    }
    if (this.closed) throw new DiscoveryError('CLOSED', `etcd ${what}: the connection is closed`);
    // Members that had a share of the time only may be slow, and there for everybody else: not so if none took its share.
    const isGone = !isLast || reachability.isSilent || endMs - performance.now() > totalMs / 2;
    if (!isUnavailable(failure)) reachability.answered();
    else if (isGone) reachability.lost(failure);
    else reachability.doubt();
    if (isStaleToken(failure)) this.renew(this.member());
    throw toDiscoveryError(what, failure);
  }

  /**
   * How long a withdrawal may take, all members together, in milliseconds: two fifths of one request's time, and a tenth where the last
   * one was not answered; so the two of an exit, records and lease, take half of it.
   */
  get withdrawalTimeoutMs(): number {
    return this.requestTimeoutMs * (this.reachability.isSilent ? 0.1 : 0.4);
  }

  /** Something was waited for since then (on the clock of this connection), and was not answered in time. */
  doubt(sinceMs: number): void {
    this.reachability.doubt(sinceMs);
  }

  /** The member in use. */
  member(): Etcd3 {
    const member = this.members[this.current];
    if (member === undefined) throw new DiscoveryError('INVALID_OPTION', 'etcd.hosts is empty');
    return member;
  }

  /** Another member from now on, unless somebody has left this one already. */
  leave(member: Etcd3): void {
    if (this.members[this.current] === member) {
      this.current = (this.current + 1) % this.members.length;
    }
  }

  /**
   * Leaves a member that accepted something and said nothing, and takes a fresh client for it: the old one would wait for ever on
   * connections that are dead.
   */
  distrust(member: Etcd3): void {
    this.leave(member);
    this.renew(member);
  }

  /** Closes every client this connection made. Requests still in flight fail. */
  close(): void {
    this.closed = true;
    this.reachability.close();
    if (this.ownsMembers) for (const member of this.members) member.close();
  }

  /** A fresh client for a member, with nothing remembered of the old one's connections and token. */
  private renew(member: Etcd3): void {
    const index = this.members.indexOf(member);
    const host = this.options.hosts[index];
    if (!this.ownsMembers || host === undefined || this.closed) return;
    member.close();
    this.members[index] = createMember(host, this.options, this.requestTimeoutMs);
  }
}

/** One key that nobody has, read by quorum: only a member that is part of a working cluster answers. */
const PROBE = { key: Buffer.from([0]), limit: 1, keys_only: true };

function createMember(host: string, options: EtcdOptions, requestTimeoutMs: number): Etcd3 {
  const { auth, tls } = options;
  const { probeIntervalMs, pingIntervalMs, pingTimeoutMs } = resolveTimings(options.timings);
  const attempts = new WeakMap<object, number>();
  return new Etcd3({
    hosts: host,
    ...(auth === undefined ? {} : { auth: { ...auth } }),
    ...(tls === undefined
      ? {}
      : {
          credentials: {
            rootCertificate: Buffer.from(tls.ca),
            ...(tls.cert === undefined ? {} : { certChain: Buffer.from(tls.cert) }),
            ...(tls.key === undefined ? {} : { privateKey: Buffer.from(tls.key) }),
          },
        }),
    grpcOptions: {
      'grpc.keepalive_time_ms': pingIntervalMs,
      'grpc.keepalive_timeout_ms': pingTimeoutMs,
      // Without a stream etcd takes any ping for abuse; the watch is a stream, and all else has deadlines.
      'grpc.keepalive_permit_without_calls': 0,
      // Without it a peer that accepts and says nothing blocks every client of the process for good.
      'grpc.use_local_subchannel_pool': 1,
      // Tried by whoever asks, which is the probe while nobody answers: no slower than it looks.
      'grpc.initial_reconnect_backoff_ms': Math.min(500, probeIntervalMs),
      'grpc.max_reconnect_backoff_ms': probeIntervalMs,
      // A list of many records is more than the default of 4 MiB.
      'grpc.max_receive_message_length': -1,
      'grpc.enable_http_proxy': 0,
    },
    // Covers the request for a token too, which is made before a call with our own deadline is.
    defaultCallOptions: ({ isStream, params }: { isStream: boolean; params?: unknown }) => {
      if (isStream) return {};
      // The package gets a new token and calls again for as long as etcd calls its tokens invalid.
      if (typeof params === 'object' && params !== null) {
        const attempt = (attempts.get(params) ?? 0) + 1;
        if (attempt > TOKEN_ATTEMPTS) throw new StaleTokenError('etcd: invalid auth token');
        attempts.set(params, attempt);
      }
      return { deadline: Date.now() + requestTimeoutMs };
    },
    faultHandling: { host: () => noPolicy, global: noPolicy },
  });
}

/** How often one request is sent with ever new tokens. */
const TOKEN_ATTEMPTS = 3;

/** Retries and breakers off: the machines decide when to try again, this connection decides where. */
const noPolicy = {
  execute: async (run: (context: { signal: AbortSignal }) => unknown) =>
    run({ signal: new AbortController().signal }),
} as unknown as FaultPolicy;
