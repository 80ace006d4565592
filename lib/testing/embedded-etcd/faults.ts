/** The faults that a test can cause in the embedded etcd. */
import { DiscoveryError } from '../../core/discovery-error.js';
import type { AuthBook } from './store/auth-book.js';
import { singleKey, toByteKey } from './store/byte-range.js';
import type { Listener } from './listener.js';
import type { Member } from './member.js';
import { DEFAULT_LEADER_WAIT_MS, type ServiceGate } from './services/service-gate.js';
import { requireWaitMs } from './wait-time.js';

/** Why leases do not expire at the moment. */
type Halt = 'paused' | 'down' | 'leaderless';

/** Options of {@link Faults.noLeader}. */
export interface NoLeaderOptions {
  /**
   * How long a request that needs a leader waits for one before it fails, in milliseconds, 0 or more, at most
   * 24.8 days; 7,000 by default, as in etcd.
   */
  readonly requestTimeoutMs?: number;
}

/**
 * The faults of an embedded etcd. Each takes effect at once, before the call returns (`up` before its promise
 * settles), and lasts until another call ends it.
 */
export class Faults {
  private readonly halts = new Set<Halt>();
  private isUp = true;

  /** @internal */
  constructor(
    private readonly member: Member,
    private readonly listener: Listener,
    private readonly gate: ServiceGate,
    private readonly auth: AuthBook,
  ) {}

  /**
   * Freezes the server as SIGSTOP freezes an etcd: it accepts connections and answers nothing, not even
   * HTTP/2 pings. The time to live of leases goes on.
   */
  pause(): void {
    this.halt('paused');
    this.listener.freeze();
  }

  /**
   * Ends {@link pause}: leases whose time to live is over expire, then the server answers the requests that
   * have piled up.
   */
  resume(): void {
    this.release('paused');
    this.listener.thaw();
  }

  /** Cuts every connection; new ones are accepted. */
  dropConnections(): void {
    this.listener.dropConnections();
  }

  /**
   * Takes the server down like a killed process: connections are cut and new ones refused. {@link up} starts
   * it again with its data.
   */
  async down(): Promise<void> {
    this.isUp = false;
    this.halt('down');
    this.auth.forgetTokens();
    await this.listener.close();
  }

  /**
   * Brings the server up again on the same port after {@link down}. As in etcd, the time to live of every
   * lease restarts, and all tokens are invalid.
   *
   * @throws DiscoveryError `INVALID_OPTION` if another process has taken the port, `CLOSED` after `stop()`
   */
  async up(): Promise<void> {
    if (this.listener.listening) return;
    this.isUp = true;
    await this.listener.listen(this.listener.port);
    // A call of `down` may have come meanwhile.
    if (!this.isUp) return;
    this.member.leases.renewAll();
    this.release('down');
  }

  /**
   * Revokes the lease of a key, which deletes all keys under it.
   *
   * @returns whether the key was there and had a lease
   */
  revokeLease(key: string | Uint8Array): boolean {
    const [found] = this.member.store.read(singleKey(keyOf(key)));
    if (found === undefined || !this.member.leases.has(found.lease)) return false;
    this.member.leases.revoke(found.lease);
    return true;
  }

  /**
   * Deletes a key; its lease lives on.
   *
   * @returns whether the key was there
   */
  deleteKey(key: string | Uint8Array): boolean {
    const range = singleKey(keyOf(key));
    return this.member.store.write((writer) => writer.delete(range)).length > 0;
  }

  /**
   * Removes the history before a revision; by default before the current one.
   *
   * @throws DiscoveryError `INVALID_OPTION` if the revision is compacted already or does not exist yet
   */
  compact(revision = this.member.store.revision): void {
    try {
      this.member.store.compact(revision);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const detail = `compact: revision ${revision} is refused (${reason}), the present one is ${this.member.store.revision}`;
      throw new DiscoveryError('INVALID_OPTION', detail, { cause });
    }
  }

  /**
   * Loses everything, like an etcd that restarts with an empty folder: revision 1, another cluster id, no
   * keys, leases or tokens. Connections are cut.
   */
  wipe(): void {
    this.listener.dropConnections();
    this.auth.forgetTokens();
    this.member.wipe();
    if (this.halts.size > 0) this.member.leases.suspend();
  }

  /** Expires every lease now: the keys under them are deleted. */
  expireLeasesNow(): void {
    this.member.leases.expireAll();
  }

  /**
   * Takes the leader away, as for a member that is cut off from its cluster. Calls and streams with the
   * metadata `hasleader: true` fail with `etcdserver: no leader`; writes and linearizable reads wait for a
   * leader, then writes fail with `context deadline exceeded` (DEADLINE_EXCEEDED), reads with `etcdserver:
   * request timed out` (UNAVAILABLE); other watches get no events. No lease expires.
   *
   * @throws DiscoveryError `INVALID_OPTION`
   */
  noLeader(options: NoLeaderOptions = {}): void {
    const { requestTimeoutMs = DEFAULT_LEADER_WAIT_MS } = options;
    const waitMs = requireWaitMs('requestTimeoutMs', requestTimeoutMs);
    this.halt('leaderless');
    this.gate.loseLeader(waitMs);
  }

  /** Ends {@link noLeader}: waiting requests are served, and the time to live of every lease restarts. */
  restoreLeader(): void {
    if (this.gate.hasLeader) return;
    this.member.leases.renewAll();
    this.release('leaderless');
    this.gate.restoreLeader();
  }

  /**
   * Delays every byte to clients.
   *
   * @param delayMs in milliseconds, at most 24.8 days; 0 ends it
   * @throws DiscoveryError `INVALID_OPTION` if it is less than 0, or no number
   */
  delayReplies(delayMs: number): void {
    this.listener.delay(requireWaitMs('delayMs', delayMs));
  }

  /**
   * Makes every token that was issued invalid: calls with such a token fail with `etcdserver: invalid auth
   * token` (UNAUTHENTICATED), new watches are refused, until the client authenticates again. A server without
   * `auth` requires tokens from then on, and issues one to any user.
   */
  rejectAuthTokens(): void {
    this.auth.rejectTokens();
  }

  private halt(reason: Halt): void {
    this.halts.add(reason);
    this.member.leases.suspend();
  }

  private release(reason: Halt): void {
    this.halts.delete(reason);
    if (this.halts.size === 0) this.member.leases.resume();
  }
}

function keyOf(key: string | Uint8Array): string {
  return toByteKey(typeof key === 'string' ? Buffer.from(key) : key);
}
