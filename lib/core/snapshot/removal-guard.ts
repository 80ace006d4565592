/**
 * What stands between the registry's list and the one clients use, as a state machine: a removal that may be the registry's fault
 * is held for as long as the connection to the endpoint is ready, and no longer than a bounded time. So neither does an empty list
 * wipe out the clients of servers that are alive, nor are dead servers kept: a dead one has no ready connection. A server that said
 * itself that it leaves is never held: a call to it could meet the end of its connection.
 * Pure: a step depends on the state, its input and its context alone. It changes the state in place, because one copy of a list of
 * thousands per changed record costs more than all else; so a guard has one owner, its directory.
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
   * How long a removal is held at most while the registry answers, in milliseconds. Time in which it does not answer does not
   * count: it could not confirm anything.
   */
  readonly maxHoldMs: number;
  /** The share of a list, 0–1, that makes removals suspicious when it goes within `windowMs`; two endpoints at least. */
  readonly minShare: number;
  /** What counts as "at once", in milliseconds. */
  readonly windowMs: number;
  /** For how long after the registry was away every removal is suspicious, in milliseconds: leases run out late. */
  readonly recoveryMs: number;
}

/** The defaults: five minutes at most; half of the list within 10 s; 30 s after the registry was away. */
export const DEFAULT_REMOVAL_GUARD: RemovalGuardPolicy = {
  maxHoldMs: 300_000,
  minShare: 0.5,
  windowMs: 10_000,
  recoveryMs: 30_000,
};

/** What can happen. */
export type RemovalGuardInput =
  | { readonly type: 'update'; readonly update: RegistryUpdate }
  /** Connections were lost, or a hold's time has come. */
  | { readonly type: 'look' };

/**
 * Why removals may be the registry's fault: it had been away; many went at once; the last went without a word, and every call would
 * fail without it.
 */
export type HoldReason = 'registry-returned' | 'many-at-once' | 'list-emptied';

/** What to tell. */
export type RemovalGuardEvent =
  | {
      readonly type: 'held';
      readonly addresses: readonly string[];
      readonly reason: HoldReason;
    }
  | {
      readonly type: 'released';
      readonly addresses: readonly string[];
      /** `listed`: the registry has it again; else it is no longer used. */
      readonly reason: 'listed' | 'disconnected' | 'expired';
    };

/** What a step may look at besides state and input. */
export interface RemovalGuardContext {
  readonly now: number;
  /** `undefined`: nothing is ever held. */
  readonly policy: RemovalGuardPolicy | undefined;
  /** Whether some channel has a ready connection to an address. */
  isReady(address: string): boolean;
}

/** What a step leads to. */
export interface RemovalGuardStep {
  readonly events: readonly RemovalGuardEvent[];
  /** In how many milliseconds a hold's time comes, `undefined` if none does. */
  readonly lookInMs: number | undefined;
}

/** The guard of one service's list. */
export class RemovalGuard {
  /** What the registry says. */
  private readonly listed: EndpointStore;
  /** What is used beside it: none of it has a key or an address that is listed. */
  private readonly held = new HeldEndpoints();
  private readonly sizes = new SizeHistory();
  /** The registry has not answered since it failed. */
  private away: boolean;
  private returnedAt: number | undefined;

  /** @param remembered a list from elsewhere: as if the registry had said that, and then failed */
  constructor(remembered?: Snapshot) {
    this.listed = new EndpointStore(remembered);
    this.away = remembered !== undefined;
  }

  /** Whether the registry has not answered since it failed. */
  get isAway(): boolean {
    return this.away;
  }

  /** What clients are to use: what is listed, and what is held beside it. O(n) after a change. */
  get usable(): readonly Endpoint[] {
    const { listed, held } = this;
    return held.size === 0 ? listed.usable : [...listed.usable, ...held.usable];
  }

  /** Everything that is listed or held by key, as it is at this moment. O(n). */
  get snapshot(): Snapshot {
    return new Map([...this.listed.entries(), ...this.held.entries()]);
  }

  /** The addresses that are held, in the order in which the holds began. */
  get heldAddresses(): readonly string[] {
    return this.held.addresses;
  }

  /** Whether an address is held. */
  isHeld(address: string): boolean {
    return this.held.has(address);
  }

  /** One step. A change costs what it changes, a whole list O(n). */
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

  /** As if those who left in order had never been listed: nothing about them is suspicious, whatever goes beside them. */
  private forget(left: readonly string[]): void {
    for (const key of left) {
      if (this.listed.delete(key) !== undefined) this.sizes.discount(1);
      this.held.drop(key);
    }
  }

  /** What a whole list changes. As a rule that is nothing, and every endpoint of it the object that is known: no more is asked then. */
  private changeTo(snapshot: Snapshot): SnapshotChange {
    const known = this.listed;
    const put = new Map<string, Endpoint>();
    let stay = 0;
    for (const [key, endpoint] of snapshot) {
      const before = known.get(key);
      if (before !== undefined) stay++;
      if (before !== endpoint) put.set(key, endpoint);
    }
    const removed =
      stay === known.size ? [] : [...known.keys()].filter((key) => !snapshot.has(key));
    return { put, removed };
  }

  /** The registry has answered: holds what went and may be alive. */
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

  /** Why removals look like the registry's fault, if they do. */
  private suspicion(policy: RemovalGuardPolicy, now: number): HoldReason | undefined {
    const { returnedAt, sizes } = this;
    if (returnedAt !== undefined && now - returnedAt <= policy.recoveryMs) {
      return 'registry-returned';
    }
    // One server that leaves is a deploy, whatever its share.
    const { lost, peak } = sizes;
    if (lost >= 2 && lost >= peak * policy.minShare) return 'many-at-once';
    // Unless nothing is left that could be called: to hold it costs nothing, because every call fails without it.
    return this.listed.isUnusable ? 'list-emptied' : undefined;
  }

  /** Ends the holds of those that have no ready connection any more, or were held for long enough. */
  private release(context: RemovalGuardContext): readonly RemovalGuardEvent[] {
    const { held } = this;
    const { now, policy } = context;
    const events: RemovalGuardEvent[] = [];
    const tell = (reason: 'disconnected' | 'expired', addresses: readonly string[]): void => {
      if (addresses.length > 0) events.push({ type: 'released', addresses, reason });
    };
    tell(
      'disconnected',
      held.dropUnless(({ address }) => context.isReady(address)),
    );
    if (!this.away) {
      const heldLongEnough = policy === undefined ? Infinity : now - policy.maxHoldMs;
      tell('expired', held.dropUntil(heldLongEnough));
    }
    return events;
  }
}
