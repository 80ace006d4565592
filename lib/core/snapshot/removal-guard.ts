/**
 * The state machine between the registry's list and the list that clients use.
 * 1. A removal that may be the registry's fault is held while the connection to the endpoint is ready, for a
 *    bounded time. So an empty list does not cut clients off from servers that are alive.
 * 2. A dead server is not held, because it has no ready connection.
 * 3. A server that announced its shutdown (`draining`) is never held: it may close the connection during a
 *    call.
 *
 * Pure: a step depends only on the state, its input and its context. It changes the state in place, because a
 * copy of a list of thousands per changed record would cost more than everything else; so a guard has one
 * owner, its directory.
 */
import { EndpointStore } from './endpoint-store.js';
import type { Endpoint } from '../records/endpoint.js';
import { HeldEndpoints } from './held-endpoints.js';
import type { RegistryUpdate } from './registry-update.js';
import { SizeHistory } from './size-history.js';
import type { Snapshot, SnapshotChange } from './snapshot.js';

/** When removals are held, and how long. */
export interface RemovalGuardPolicy {
  /**
   * How long a removal is held at most while the registry answers, in milliseconds. The time of an outage
   * does not count, because the registry could not confirm the removal then.
   */
  readonly maxHoldMs: number;
  /** Removals within `windowMs` are suspicious if they are this share of a list, 0–1, and two at least. */
  readonly minShare: number;
  /** How long removals count together, in milliseconds. */
  readonly windowMs: number;
  /** How long after an outage every removal is suspicious, in milliseconds: leases expire late then. */
  readonly recoveryMs: number;
}

/** The defaults: a hold of five minutes at most; half of the list within 10 s; 30 s after an outage. */
export const DEFAULT_REMOVAL_GUARD: RemovalGuardPolicy = {
  maxHoldMs: 300_000,
  minShare: 0.5,
  windowMs: 10_000,
  recoveryMs: 30_000,
};

/** The input of a step of the guard. */
export type RemovalGuardInput =
  | { readonly type: 'update'; readonly update: RegistryUpdate }
  /** A request to check all holds, because connections were lost or the longest time of a hold is over. */
  | { readonly type: 'look' };

/**
 * Why removals may be the registry's fault: it had been away; many endpoints were removed at once; the last
 * endpoint was removed without an announcement, and without it every call would fail.
 */
type HoldReason = 'registry-returned' | 'many-at-once' | 'list-emptied';

/** What the guard reports to its owner. */
type RemovalGuardEvent =
  | {
      readonly type: 'held';
      readonly addresses: readonly string[];
      readonly reason: HoldReason;
    }
  | {
      readonly type: 'released';
      readonly addresses: readonly string[];
      /** `listed`: the registry lists the endpoints again. Otherwise clients stop using them. */
      readonly reason: 'listed' | 'disconnected' | 'expired';
    };

/** What a step of the guard may read besides state and input. */
interface RemovalGuardContext {
  readonly now: number;
  /** The settings of the guard. `undefined`: the guard holds nothing. */
  readonly policy: RemovalGuardPolicy | undefined;
  /** Whether any channel has a ready connection to an address. */
  isReady(address: string): boolean;
}

/** The result of a step of the guard. */
interface RemovalGuardStep {
  readonly events: readonly RemovalGuardEvent[];
  /** In how many milliseconds the oldest hold reaches its longest time; `undefined`: no hold can expire. */
  readonly lookInMs: number | undefined;
}

/** Holds the list of one service, and decides which removed endpoints clients go on using. */
export class RemovalGuard {
  /** The list of the registry. */
  private readonly listed: EndpointStore;
  /** The endpoints that clients use besides the listed ones. None of their keys and addresses is listed. */
  private readonly held = new HeldEndpoints();
  private readonly sizes = new SizeHistory();
  /** True from a failure of the registry to its next answer. */
  private away: boolean;
  private returnedAt: number | undefined;

  /** @param remembered a saved list: the guard starts as if the registry had sent it and then failed */
  constructor(remembered?: Snapshot) {
    this.listed = new EndpointStore(remembered);
    this.away = remembered !== undefined;
  }

  /** Whether the registry failed and has not answered since. */
  get isAway(): boolean {
    return this.away;
  }

  /** The list for clients: listed and held endpoints. O(n) after a change. */
  get usable(): readonly Endpoint[] {
    const { listed, held } = this;
    return held.size === 0 ? listed.usable : [...listed.usable, ...held.usable];
  }

  /** The listed and held endpoints by key, as a copy. O(n). */
  get snapshot(): Snapshot {
    return new Map([...this.listed.entries(), ...this.held.entries()]);
  }

  /** The held addresses, in the order in which the holds began. */
  get heldAddresses(): readonly string[] {
    return this.held.addresses;
  }

  /** Whether an address is held. */
  isHeld(address: string): boolean {
    return this.held.has(address);
  }

  /** One step of the guard. A change costs O(changed endpoints), a complete list O(n). */
  step(input: RemovalGuardInput, context: RemovalGuardContext): RemovalGuardStep {
    const events = input.type === 'look' ? this.release(context) : this.take(input.update, context);
    const { firstSince } = this.held;
    const dueMs = (firstSince ?? 0) + (context.policy?.maxHoldMs ?? 0) - context.now;
    const isDue = firstSince !== undefined && !this.away;
    return { events, lookInMs: isDue ? Math.max(0, dueMs) : undefined };
  }

  private take(update: RegistryUpdate, context: RemovalGuardContext): readonly RemovalGuardEvent[] {
    if (update.kind === 'failure') {
      this.away = true;
      return [];
    }
    this.forget(update.left ?? []);
    const sizeBefore = this.listed.size;
    const { put, removed } =
      update.kind === 'change' ? update.change : this.changeTo(update.snapshot);
    const gone = new Map<string, Endpoint>();
    for (const key of removed) {
      const endpoint = put.has(key) ? undefined : this.listed.delete(key);
      if (endpoint !== undefined) gone.set(key, endpoint);
    }
    const again: string[] = [];
    for (const [key, endpoint] of put) {
      this.listed.put(key, endpoint);
      again.push(...this.held.dropListed(key, endpoint.address));
    }
    const events: RemovalGuardEvent[] = [];
    if (again.length > 0) events.push({ type: 'released', addresses: again, reason: 'listed' });
    return [...events, ...this.judge(gone, sizeBefore, context)];
  }

  /**
   * Removes endpoints that announced their shutdown, without a trace in the history of removals: they must
   * not make other removals suspicious.
   */
  private forget(left: readonly string[]): void {
    for (const key of left) {
      if (this.listed.delete(key) !== undefined) this.sizes.discount(1);
      this.held.drop(key);
    }
  }

  /**
   * The changes from the known list to a complete list. Usually every endpoint is the known object, and its
   * fields are not compared.
   */
  private changeTo(snapshot: Snapshot): SnapshotChange {
    const known = this.listed;
    const put = new Map<string, Endpoint>();
    let stay = 0;
    for (const [key, endpoint] of snapshot) {
      const before = known.get(key);
      if (before !== undefined) stay++;
      if (before !== endpoint) put.set(key, endpoint);
    }
    // Usually no key was removed, and the search for removed keys is skipped.
    const removed =
      stay === known.size ? [] : [...known.keys()].filter((key) => !snapshot.has(key));
    return { put, removed };
  }

  /** The registry answered: holds the endpoints whose removal is suspicious and whose connection is ready. */
  private judge(
    gone: ReadonlyMap<string, Endpoint>,
    sizeBefore: number,
    context: RemovalGuardContext,
  ): readonly RemovalGuardEvent[] {
    const { listed, held, sizes } = this;
    const { now, policy } = context;
    if (this.away) {
      this.returnedAt = now;
      held.restart(now);
    }
    this.away = false;
    if (policy === undefined) return [];
    sizes.record(sizeBefore, now, policy.windowMs);
    sizes.record(listed.size, now, policy.windowMs);
    const reason = gone.size === 0 ? undefined : this.suspicion(policy, now);
    if (reason === undefined) return [];
    const addresses: string[] = [];
    for (const [key, endpoint] of gone) {
      const { address } = endpoint;
      if (listed.hasAddress(address) || !context.isReady(address)) continue;
      held.hold(key, endpoint, now);
      addresses.push(address);
    }
    return addresses.length === 0 ? [] : [{ type: 'held', addresses, reason }];
  }

  /** Why removals look like the registry's fault; `undefined`: they do not. */
  private suspicion(policy: RemovalGuardPolicy, now: number): HoldReason | undefined {
    const { returnedAt, sizes } = this;
    if (returnedAt !== undefined && now - returnedAt <= policy.recoveryMs) {
      return 'registry-returned';
    }
    // The removal of a single server is a normal deploy, whatever its share of the list.
    const { lost, peak } = sizes;
    if (lost >= 2 && lost >= peak * policy.minShare) return 'many-at-once';
    // But the last usable server is held. The hold does no harm: without this server every call would fail.
    return this.listed.isUnusable ? 'list-emptied' : undefined;
  }

  /** Ends the holds of endpoints without a ready connection, and holds that reached their longest time. */
  private release(context: RemovalGuardContext): readonly RemovalGuardEvent[] {
    const { held } = this;
    const { now, policy } = context;
    const events: RemovalGuardEvent[] = [];
    const report = (reason: 'disconnected' | 'expired', addresses: readonly string[]): void => {
      if (addresses.length > 0) events.push({ type: 'released', addresses, reason });
    };
    report(
      'disconnected',
      held.dropUnless(({ address }) => context.isReady(address)),
    );
    if (!this.away) {
      const heldLongEnough = policy === undefined ? Infinity : now - policy.maxHoldMs;
      report('expired', held.dropUntil(heldLongEnough));
    }
    return events;
  }
}
