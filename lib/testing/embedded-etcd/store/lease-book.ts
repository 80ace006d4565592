/** The leases, with their keys and their ends, by a clock that is passed in. */
import type { CancelTimer, Clock } from '../../../core/clock.js';
import type { ByteKey } from './byte-range.js';
import { refusal } from '../wire/etcd-error.js';
import type { KeyChange } from './kv-store.js';
import { MAX_TIMER_MS } from '../wait-time.js';

/** The shortest time to live that is granted, in seconds: etcd's, at its default election timeout. */
const MIN_LEASE_TTL_SECONDS = 2;

/** The longest time to live that may be asked for, in seconds: etcd's. */
export const MAX_LEASE_TTL_SECONDS = 9_000_000_000;

/** The public view of a lease. */
interface Lease {
  /** Decimal digits of a 64-bit integer. */
  readonly id: string;
  /** The granted time to live, in seconds. */
  readonly ttlSeconds: number;
  /** When the lease ends unless it is kept alive, on the clock's scale. */
  readonly endsAtMs: number;
  readonly keys: ReadonlySet<ByteKey>;
}

interface OpenLease extends Lease {
  endsAtMs: number;
  readonly keys: Set<ByteKey>;
}

/** Grants, renews and ends leases. One timer waits for the earliest end. */
export class LeaseBook {
  private readonly leases = new Map<string, OpenLease>();
  private timer: { readonly atMs: number; readonly cancel: CancelTimer } | undefined;
  private suspended = false;

  /**
   * @param clock tells the time
   * @param deleteKeys deletes the keys of an ended lease, given in byte order
   * @param randomId a new id, decimal digits
   */
  constructor(
    private readonly clock: Clock,
    private readonly deleteKeys: (keys: readonly ByteKey[]) => void,
    private readonly randomId: () => string,
  ) {}

  /** Whether a lease exists. */
  has(id: string): boolean {
    return this.leases.has(id);
  }

  /** The lease with this id, `undefined` if there is none. */
  find(id: string): Lease | undefined {
    return this.leases.get(id);
  }

  /** Every lease, in the order in which they end. */
  all(): Lease[] {
    return [...this.leases.values()].sort((a, b) => a.endsAtMs - b.endsAtMs);
  }

  /**
   * Grants a lease.
   *
   * @param ttlSeconds raised to {@link MIN_LEASE_TTL_SECONDS}
   * @param id the id wanted, `'0'` for any
   * @throws EtcdError if the id is taken or the time too long
   */
  grant(ttlSeconds: number, id: string): Lease {
    if (ttlSeconds > MAX_LEASE_TTL_SECONDS) throw refusal('leaseTtlTooLarge');
    if (this.leases.has(id)) throw refusal('leaseExists');
    const granted = Math.max(ttlSeconds, MIN_LEASE_TTL_SECONDS);
    const lease: OpenLease = {
      id: id === '0' ? this.randomId() : id,
      ttlSeconds: granted,
      endsAtMs: this.clock.now() + granted * 1000,
      keys: new Set(),
    };
    this.leases.set(lease.id, lease);
    this.arm(lease.endsAtMs);
    return lease;
  }

  /** Restarts the time to live of a lease, and returns it in seconds; 0 for a lease that does not exist. */
  keepAlive(id: string): number {
    const lease = this.leases.get(id);
    if (lease === undefined) return 0;
    lease.endsAtMs = this.clock.now() + lease.ttlSeconds * 1000;
    return lease.ttlSeconds;
  }

  /** What is left of a lease, in whole seconds, rounded down. */
  remainingSeconds(lease: Lease): number {
    return Math.floor((lease.endsAtMs - this.clock.now()) / 1000);
  }

  /**
   * Ends a lease and deletes its keys.
   *
   * @throws EtcdError if it does not exist
   */
  revoke(id: string): void {
    const lease = this.leases.get(id);
    if (lease === undefined) throw refusal('leaseNotFound');
    this.deleteKeys([...lease.keys].sort());
    this.leases.delete(id);
  }

  /** Expires every lease now. */
  expireAll(): void {
    for (const lease of this.all()) this.revoke(lease.id);
  }

  /** Restarts the time to live of every lease, as a new leader does. */
  renewAll(): void {
    for (const id of this.leases.keys()) this.keepAlive(id);
  }

  /** Stops leases from expiring until {@link resume}; their time to live goes on. */
  suspend(): void {
    this.suspended = true;
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Expires the leases whose time to live is over, and lets leases expire again. */
  resume(): void {
    this.suspended = false;
    this.expireDue();
  }

  /** Removes every lease and leaves the keys. */
  clear(): void {
    this.leases.clear();
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Follows the store: which key is under which lease. */
  follow(changes: readonly KeyChange[]): void {
    for (const { now, before } of changes) {
      if (before !== undefined) this.leases.get(before.lease)?.keys.delete(now.byteKey);
      if (!now.deleted) this.leases.get(now.lease)?.keys.add(now.byteKey);
    }
  }

  private expireDue(): void {
    const now = this.clock.now();
    let next = Number.POSITIVE_INFINITY;
    const due: OpenLease[] = [];
    for (const lease of this.leases.values()) {
      if (lease.endsAtMs <= now) due.push(lease);
      else next = Math.min(next, lease.endsAtMs);
    }
    due.sort((a, b) => a.endsAtMs - b.endsAtMs);
    for (const lease of due) if (this.leases.has(lease.id)) this.revoke(lease.id);
    this.arm(next);
  }

  /** Sets the timer to fire at `atMs` or earlier. */
  private arm(atMs: number): void {
    if (this.suspended || atMs === Number.POSITIVE_INFINITY) return;
    if (this.timer !== undefined && this.timer.atMs <= atMs) return;
    this.timer?.cancel();
    const delayMs = Math.min(Math.max(0, Math.ceil(atMs - this.clock.now())), MAX_TIMER_MS);
    const cancel = this.clock.setTimer(delayMs, () => {
      this.timer = undefined;
      this.expireDue();
    });
    this.timer = { atMs, cancel };
  }
}
