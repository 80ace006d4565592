/**
 * Clients for the members of an etcd cluster: every request gets a fresh deadline and is tried on each member in turn, and
 * a member that fails is left. The only file that imports etcd3.
 */
import { Etcd3, EtcdLeaseInvalidError, type IOptions } from 'etcd3';
import { type Observable, Subject } from 'rxjs';
import type { Random } from '../core/clock.js';
import { DiscoveryError } from '../core/discovery-error.js';
import { isUnavailable, LeaseGoneError, toDiscoveryError } from './etcd-error.js';
import { DEFAULT_REQUEST_TIMEOUT_MS, type EtcdOptions } from './etcd-options.js';

type CallOptionsFactory = Exclude<
  NonNullable<IOptions['defaultCallOptions']>,
  { deadline?: unknown }
>;
/** Options of one call, as etcd3 takes them. */
export type EtcdCallOptions = ReturnType<CallOptionsFactory>;
type Interceptor = NonNullable<EtcdCallOptions['interceptors']>[number];
type FaultPolicy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** A connection to an etcd cluster: one client per member, so that a bad member is left and a good one kept. */
export class EtcdConnection {
  private readonly requestTimeoutMs: number;
  private readonly members: readonly Etcd3[];
  private readonly ownsMembers: boolean;
  private readonly back = new Subject<void>();
  private current: number;
  private down = false;
  private closed = false;

  constructor(options: EtcdOptions, random: Random) {
    this.requestTimeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    this.ownsMembers = options.client === undefined;
    this.members =
      options.client === undefined
        ? options.hosts.map((host) => createMember(host, options, this.requestTimeoutMs))
        : [options.client];
    // Processes that start together spread over the members.
    this.current = Math.floor(random() * this.members.length);
  }

  /** Fires when etcd answers for the first time since a request failed for want of an answer. */
  get back$(): Observable<void> {
    return this.back.asObservable();
  }

  /**
   * Runs a request that is answered once, with a fresh deadline, on each member at most once.
   *
   * @param what names the request in errors
   * @throws DiscoveryError `REGISTRY_UNAVAILABLE`, `REGISTRY_REJECTED`, `CLOSED`; LeaseGoneError
   */
  async request<T>(
    what: string,
    run: (member: Etcd3, options: EtcdCallOptions) => Promise<T>,
  ): Promise<T> {
    let failure: unknown;
    for (let attempt = 0; attempt < this.members.length && !this.closed; attempt++) {
      const member = this.member();
      try {
        const deadline = Date.now() + this.requestTimeoutMs;
        const reply = await within(this.requestTimeoutMs, run(member, { deadline }));
        this.answered();
        return reply;
      } catch (error) {
        if (error instanceof EtcdLeaseInvalidError) {
          this.answered();
          throw new LeaseGoneError(error.message, { cause: error });
        }
        failure = error;
        // Another member would refuse it for the same reason.
        if (!isUnavailable(error)) break;
        this.leave(member);
      }
    }
    if (this.closed) throw new DiscoveryError('CLOSED', `etcd ${what}: the connection is closed`);
    this.down = true;
    throw toDiscoveryError(what, failure);
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

  /** Closes every client this connection made. Requests still in flight fail. */
  close(): void {
    this.closed = true;
    this.back.complete();
    if (this.ownsMembers) for (const member of this.members) member.close();
  }

  private answered(): void {
    if (!this.down) return;
    this.down = false;
    this.back.next();
  }
}

/** Call options under which a member without a leader fails the call instead of staying silent. */
export function requireLeader(options: EtcdCallOptions): EtcdCallOptions {
  const interceptor: Interceptor = (callOptions, nextCall) => {
    const call = nextCall(callOptions);
    const start = call.start.bind(call);
    call.start = (metadata, listener) => {
      // The metadata holds the token and is shared by all calls of this client.
      const own = metadata.clone();
      own.set('hasleader', 'true');
      start(own, listener);
    };
    return call as ReturnType<Interceptor>;
  };
  return { ...options, interceptors: [interceptor] };
}

function createMember(host: string, options: EtcdOptions, requestTimeoutMs: number): Etcd3 {
  const { auth, tls } = options;
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
      // Below 10 s etcd may answer with GOAWAY too_many_pings.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.keepalive_permit_without_calls': 1,
      // Without it a peer that accepts and says nothing blocks every client of the process for good.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_reconnect_backoff_ms': 2_000,
      // A list of many records is more than the default of 4 MiB.
      'grpc.max_receive_message_length': -1,
      'grpc.enable_http_proxy': 0,
    },
    // Covers the request for a token too, which is made before a call with our own deadline is.
    defaultCallOptions: (context: { isStream: boolean }) =>
      context.isStream ? {} : { deadline: Date.now() + requestTimeoutMs },
    faultHandling: { host: () => noPolicy, global: noPolicy },
  });
}

/** Retries and breakers off: the machines decide when to try again, this connection decides where. */
const noPolicy = {
  execute: async (run: (context: { signal: AbortSignal }) => unknown) =>
    run({ signal: new AbortController().signal }),
} as unknown as FaultPolicy;

/** Bounds a promise whose own deadline may not cover all it does. Its late outcome is ignored. */
function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new DiscoveryError('REGISTRY_UNAVAILABLE', `no answer within ${timeoutMs} ms`)),
      // The call's own deadline speaks first where it can: it says more.
      timeoutMs + 100,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
