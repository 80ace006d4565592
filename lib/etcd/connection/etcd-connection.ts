/**
 * Clients for the members of an etcd cluster. Every request gets a fresh deadline and is tried on one member
 * after the other; after a failure the connection switches to the next member. The only file that imports
 * etcd3.
 */
import { Etcd3 } from 'etcd3';
import { merge, type Observable } from 'rxjs';
import type { Clock, Random } from '../../core/clock.js';
import { DiscoveryError } from '../../core/discovery-error.js';
import type { ConnectionEvent } from '../../core/discovery-event.js';
import { authorized, type EtcdCallOptions, within } from './call-options.js';
import {
  isAnothersTurn,
  isForeignServer,
  isLeaseGone,
  isStaleToken,
  isUnavailable,
  KnownRefusalError,
  LeaseGoneError,
  toDiscoveryError,
} from './etcd-error.js';
import { DEFAULT_REQUEST_TIMEOUT_MS, type EtcdOptions } from '../etcd-options.js';
import { resolveTimings } from '../etcd-timings.js';
import { MemberDialling } from './member-dialling.js';
import { memberOptions } from './member-options.js';
import { MemberRing } from './member-ring.js';
import { MemberSync, readMembers } from './member-sync.js';
import { Reachability } from './reachability.js';
import { textField } from './reply-fields.js';
import { TokenSource } from './token-source.js';

/**
 * Whether a request is sent while no member answers, and what its deadline is
 * ({@link EtcdConnection.request}).
 */
type RequestMode = 'unless-down' | 'always' | 'last';

/** The key of the method that Node's `util.inspect` calls. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** What a connection needs besides its options. */
interface EtcdConnectionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent?: (event: ConnectionEvent) => void;
}

/**
 * A connection to an etcd cluster, with one client per member: it stays with a member that works and switches
 * away from one that fails.
 */
export class EtcdConnection {
  private readonly requestTimeoutMs: number;
  private readonly ring: MemberRing<Etcd3>;
  private readonly reachability: Reachability;
  private readonly tokens: TokenSource<Etcd3> | undefined;
  private readonly sync: MemberSync | undefined;
  private closed = false;

  constructor(
    private readonly options: EtcdOptions,
    ports: EtcdConnectionPorts,
  ) {
    const { client, hosts, auth, syncIntervalMs } = options;
    const onEvent = ports.onEvent ?? (() => {});
    this.requestTimeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    this.reachability = new Reachability({
      ...ports,
      timings: resolveTimings(options.timings),
      probe: () => this.request('probe', (member, call) => member.kv.range(PROBE, call), 'always'),
    });
    this.ring = new MemberRing(
      client === undefined ? hosts : ['etcd.client'],
      (url) => client ?? createMember(url, options),
      ports.random(),
    );
    if (auth !== undefined && client === undefined) {
      this.tokens = new TokenSource({
        ...ports,
        authenticate: (member) => this.authenticate(member),
        inTurn: (ask) => this.inTurn('authentication', ask, 'always'),
        onUnused: () => onEvent({ type: 'auth-unused' }),
      });
    }
    if (syncIntervalMs !== undefined && client === undefined) {
      const isSecure = hosts.some((host) => host.startsWith('https://'));
      this.sync = new MemberSync({
        ...ports,
        intervalMs: syncIntervalMs,
        hosts,
        list: () =>
          this.request('member list', async (member, call) =>
            readMembers(await member.cluster.memberList({ linearizable: true }, call), isSecure),
          ),
        onMembers: (urls) => this.ring.replace(urls),
        onEvent,
      });
    }
  }

  /**
   * Fires when etcd answers again after it was away, within `returnSpreadMs`. While etcd is away, this
   * connection sends a small read (the probe), first after 100 ms and later every `probeIntervalMs`; so it
   * notices that etcd is back even while all leases and watches back off. Also fires when etcd accepts a
   * password that it had refused.
   */
  get back$(): Observable<void> {
    const { back$ } = this.reachability;
    return this.tokens === undefined ? back$ : merge(back$, this.tokens.accepted$);
  }

  /** Whether no member answered the last request. */
  get isDown(): boolean {
    return this.reachability.isDown;
  }

  /**
   * Runs a request that has one reply, with a fresh deadline, on each member at most once. While no member
   * answers, the request fails at once and is not sent. Only the probe asks, so that many leases and watches
   * cause no more requests than one does.
   *
   * @param what names the request in errors
   * @param mode `always`: sends the request even while no member answers. `last`, for the requests of an
   *   exit, which are not repeated and must not delay the exit: the same, with one deadline for all members
   *   together
   * @param totalMs the deadline in mode `last`, in milliseconds. Default `withdrawalTimeoutMs`
   * @throws DiscoveryError `REGISTRY_UNAVAILABLE`, `REGISTRY_REJECTED`, `CLOSED`; LeaseGoneError
   */
  async request<T>(
    what: string,
    run: (member: Etcd3, options: EtcdCallOptions) => Promise<T>,
    mode: RequestMode = 'unless-down',
    totalMs = this.withdrawalTimeoutMs,
  ): Promise<T> {
    return this.inTurn(what, (member, call) => this.send(member, call, run), mode, totalMs);
  }

  private async inTurn<T>(
    what: string,
    run: (member: Etcd3, options: EtcdCallOptions) => Promise<T>,
    mode: RequestMode,
    totalMs = this.withdrawalTimeoutMs,
  ): Promise<T> {
    const { reachability } = this;
    if (reachability.isDown && mode === 'unless-down' && !this.closed) {
      throw toDiscoveryError(what, reachability.failure);
    }
    this.sync?.start();
    let failure: unknown;
    const isLast = mode === 'last';
    const endMs = performance.now() + totalMs;
    for (let attempt = 0; attempt < this.ring.size && !this.closed; attempt++) {
      const member = this.member();
      try {
        const shareMs = (endMs - performance.now()) / (this.ring.size - attempt);
        const timeoutMs = isLast ? Math.max(0, shareMs) : this.requestTimeoutMs;
        const deadline = Date.now() + timeoutMs;
        const reply = await within(timeoutMs, run(member, { deadline }));
        reachability.answered();
        return reply;
      } catch (error) {
        if (isLeaseGone(error)) {
          reachability.answered();
          throw new LeaseGoneError('requested lease not found', { cause: error });
        }
        failure = weightier(failure, error);
        // Every other member would refuse the request for the same reason.
        if (!isAnothersTurn(error)) break;
        this.leave(member);
      }
    }
    if (this.closed) throw new DiscoveryError('CLOSED', `etcd ${what}: the connection is closed`);
    // In mode `last` each member has only a share of the time, so that a slow member may fail here and still
    // answer other requests. etcd counts as away if it was suspect before, or if all members failed in less
    // than half of the time.
    const isGone = !isLast || reachability.isSilent || endMs - performance.now() > totalMs / 2;
    if (isUnavailable(failure)) {
      if (isGone) reachability.lost(failure);
      else reachability.doubt();
    } else if (!(failure instanceof KnownRefusalError)) reachability.answered();
    throw toDiscoveryError(what, failure);
  }

  /**
   * Runs a call on one member with a valid token. If etcd rejects the token, because it has expired or etcd
   * has forgotten it, the call is repeated with a new one, and nothing is reported.
   *
   * @throws the error of the call
   */
  async send<T>(
    member: Etcd3,
    options: EtcdCallOptions,
    run: (member: Etcd3, options: EtcdCallOptions) => Promise<T>,
  ): Promise<T> {
    const { tokens } = this;
    for (let attempt = 1; ; attempt++) {
      const token = await tokens?.get(member);
      // A client that the user passed in sets its own token and call options.
      const isOwn = this.options.client === undefined;
      try {
        return await run(member, isOwn ? authorized(options, token) : options);
      } catch (error) {
        if (!isStaleToken(error) || attempt === TOKEN_ATTEMPTS) throw error;
        if (tokens !== undefined) tokens.discard(token);
        else if (isOwn) throw error;
        // The user's client replaces its token itself, but only in unary calls such as this one.
        else await member.kv.range({ ...PROBE }, options);
      }
    }
  }

  /**
   * How long the removal of records, or the revocation of a lease, may take on all members together, in
   * milliseconds: 0.4 of `requestTimeoutMs`, or 0.1 of it if etcd did not answer the last request. An exit
   * makes both requests; together they take 0.5 of `requestTimeoutMs` if etcd does not answer.
   */
  get withdrawalTimeoutMs(): number {
    return this.requestTimeoutMs * (this.reachability.isSilent ? 0.1 : 0.4);
  }

  /** Reports that etcd did not answer in time what was sent at `sinceMs`, on the clock of this connection. */
  doubt(sinceMs: number): void {
    this.reachability.doubt(sinceMs);
  }

  /** The member in use. */
  member(): Etcd3 {
    return this.ring.member;
  }

  /** Switches to the next member, unless another request has switched already. */
  leave(member: Etcd3): void {
    this.ring.leave(member);
  }

  /**
   * Switches away from a member that accepted a call and never answered, and replaces its client: the old
   * client would wait forever on dead connections.
   */
  distrust(member: Etcd3): void {
    this.leave(member);
    if (this.options.client === undefined && !this.closed) this.ring.renew(member);
  }

  /**
   * The printed form of this connection, and of every object that holds it. Options and clients contain the
   * password and the key; this form shows neither.
   */
  toJSON(): string {
    return `etcd connection to ${this.options.client === undefined ? this.options.hosts.join() : 'a given client'}`;
  }

  /** For `util.inspect` and `console.log`. */
  [INSPECT](): string {
    return this.toJSON();
  }

  /**
   * Closes every client that this connection made. Requests in flight end at their deadlines, attempts to
   * connect at once.
   */
  close(): void {
    this.closed = true;
    this.reachability.close();
    this.tokens?.close();
    this.sync?.stop();
    if (this.options.client === undefined) this.ring.close();
  }

  private async authenticate(member: Etcd3): Promise<string> {
    const { username: name, password } = this.options.auth ?? { username: '', password: '' };
    const options = authorized({ deadline: Date.now() + this.requestTimeoutMs }, undefined);
    const reply = await member.auth.authenticate({ name, password }, options);
    return textField(reply, 'token');
  }
}

/** A client for one member. Its `close` also aborts attempts to connect. */
function createMember(url: string, options: EtcdOptions): Etcd3 {
  const member = new Etcd3(memberOptions(url, options));
  const dialling = new MemberDialling(member);
  const close = member.close.bind(member);
  member.close = () => {
    close();
    dialling.end();
  };
  return member;
}

/** The probe reads a key that does not exist, by quorum: only a member of a working cluster can answer. */
const PROBE = { key: Buffer.from([0]), limit: 1, keys_only: true };

/** How often one request is sent at most, each time with a new token. */
const TOKEN_ATTEMPTS = 3;

/**
 * Of the failures of two members, returns the one that says more about the cluster: a refusal by etcd comes
 * first, then a member that did not answer, last a server that is not etcd.
 */
function weightier(before: unknown, after: unknown): unknown {
  return weightOf(after) >= weightOf(before) ? after : before;
}

function weightOf(failure: unknown): number {
  if (failure === undefined || isForeignServer(failure)) return 0;
  return isUnavailable(failure) ? 1 : 2;
}
