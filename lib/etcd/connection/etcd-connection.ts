/**
 * Clients for the members of an etcd cluster: every request gets a fresh deadline and is tried on each member in turn, and
 * a member that fails is left. The only file that imports etcd3.
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

/** Whether a request is sent while no member answers, and what its deadline is ({@link EtcdConnection.request}). */
type RequestMode = 'unless-down' | 'always' | 'last';

/** What Node's `util.inspect` calls. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** What a connection needs besides its options. */
export interface EtcdConnectionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent?: (event: ConnectionEvent) => void;
}

/** A connection to an etcd cluster: one client per member, so that a bad member is left and a good one kept. */
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
   * Fires when etcd answers again after a request had found no member that did, within `returnSpreadMs`. While etcd is away
   * one small read, after 100 ms at first and every `probeIntervalMs` later, finds that out, however long everybody backs off.
   * Fires as well when etcd takes a password that it had refused.
   */
  get back$(): Observable<void> {
    const { back$ } = this.reachability;
    return this.tokens === undefined ? back$ : merge(back$, this.tokens.accepted$);
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
        // Another member would refuse it for the same reason.
        if (!isAnothersTurn(error)) break;
        this.leave(member);
      }
    }
    if (this.closed) throw new DiscoveryError('CLOSED', `etcd ${what}: the connection is closed`);
    // Members that had a share of the time only may be slow, and there for everybody else: not so if none took its share.
    const isGone = !isLast || reachability.isSilent || endMs - performance.now() > totalMs / 2;
    if (isUnavailable(failure)) {
      if (isGone) reachability.lost(failure);
      else reachability.doubt();
    } else if (!(failure instanceof KnownRefusalError)) reachability.answered();
    throw toDiscoveryError(what, failure);
  }

  /**
   * Runs something on one member under a token that is good, without a word about those that are not: they expire, and are forgotten.
   *
   * @throws what it failed with
   */
  async send<T>(
    member: Etcd3,
    options: EtcdCallOptions,
    run: (member: Etcd3, options: EtcdCallOptions) => Promise<T>,
  ): Promise<T> {
    const { tokens } = this;
    for (let attempt = 1; ; attempt++) {
      const token = await tokens?.get(member);
      // A client of the user's own has call options of its own, too.
      const isOwn = this.options.client === undefined;
      try {
        return await run(member, isOwn ? authorized(options, token) : options);
      } catch (error) {
        if (!isStaleToken(error) || attempt === TOKEN_ATTEMPTS) throw error;
        if (tokens !== undefined) tokens.discard(token);
        else if (isOwn) throw error;
        // It gets a new token by itself, with requests that are answered once.
        else await member.kv.range({ ...PROBE }, options);
      }
    }
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
    return this.ring.member;
  }

  /** Another member from now on, unless another request has left this one already. */
  leave(member: Etcd3): void {
    this.ring.leave(member);
  }

  /**
   * Leaves a member that accepted something and said nothing, and takes a fresh client for it: the old one would wait for ever on
   * connections that are dead.
   */
  distrust(member: Etcd3): void {
    this.leave(member);
    if (this.options.client === undefined && !this.closed) this.ring.renew(member);
  }

  /** What is printed of it, and of all that holds it: neither the password nor the key, which options and clients hold. */
  toJSON(): string {
    return `etcd connection to ${this.options.client === undefined ? this.options.hosts.join() : 'a given client'}`;
  }

  /** For `util.inspect` and `console.log`. */
  [INSPECT](): string {
    return this.toJSON();
  }

  /** Closes every client this connection made. Requests under way end at their deadlines, attempts to connect at once. */
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

/** A client for one member, whose attempts to connect end with it. */
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

/** One key that nobody has, read by quorum: only a member that is part of a working cluster answers. */
const PROBE = { key: Buffer.from([0]), limit: 1, keys_only: true };

/** How often one request is sent with ever new tokens. */
const TOKEN_ATTEMPTS = 3;

/**
 * Which of two failures on two members says more about the cluster: a refusal that makes sense of it, then a member that did not
 * answer, and last a server that is no etcd.
 */
function weightier(before: unknown, after: unknown): unknown {
  return weightOf(after) >= weightOf(before) ? after : before;
}

function weightOf(failure: unknown): number {
  if (failure === undefined || isForeignServer(failure)) return 0;
  return isUnavailable(failure) ? 1 : 2;
}
