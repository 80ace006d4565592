/**
 * What stands between the registry's list and the one clients use, as a state machine: a removal that may be the registry's fault
 * is held for as long as the connection to the endpoint is ready, and no longer than a bounded time. So neither does an empty list
 * wipe out the clients of servers that are alive, nor are dead servers kept: a dead one has no ready connection. A server that said
 * itself that it leaves is never held: a call to it could meet the end of its connection.
 * Pure: a step takes a state and an input and returns the next state and what to tell.
 */
import type { Endpoint } from './endpoint.js';
import type { RegistryUpdate } from './registry-update.js';
import { applyChange, EMPTY_SNAPSHOT, type Snapshot } from './snapshot.js';

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

/** An endpoint that the registry no longer lists. */
export interface HeldEndpoint {
  readonly endpoint: Endpoint;
  /** When the hold began, or when the registry was back last, if that is later. */
  readonly since: number;
}

/** The whole state. */
export interface RemovalGuard {
  /** What the registry says. */
  readonly listed: Snapshot;
  /** What is used beside it, by key. */
  readonly held: ReadonlyMap<string, HeldEndpoint>;
  /** The registry has not answered since it failed. */
  readonly away: boolean;
  readonly returnedAt: number | undefined;
  /** How many endpoints were listed, and since when; the last one is the current. */
  readonly sizes: readonly { readonly at: number; readonly size: number }[];
}

/** What can happen. */
export type RemovalGuardInput =
  | { readonly type: 'update'; readonly update: RegistryUpdate }
  /** Connections were lost, or a hold's time has come. */
  | { readonly type: 'look' };

/** What to tell. */
export type RemovalGuardEvent =
  | {
      readonly type: 'held';
      readonly addresses: readonly string[];
      readonly reason: 'registry-returned' | 'many-at-once';
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

/** A next state and what to tell on the way into it. */
export interface RemovalGuardStep {
  readonly guard: RemovalGuard;
  readonly events: readonly RemovalGuardEvent[];
  /** In how many milliseconds a hold's time comes, `undefined` if none does. */
  readonly lookInMs: number | undefined;
}

/** The guard before the registry has said anything; with a list from elsewhere, as if the registry had said that and then failed. */
export function createRemovalGuard(remembered?: Snapshot): RemovalGuard {
  return {
    listed: remembered ?? EMPTY_SNAPSHOT,
    held: new Map(),
    away: remembered !== undefined,
    returnedAt: undefined,
    sizes: [],
  };
}

/** What clients are to use: what is listed, and what is held beside it. */
export function guardedSnapshot({ listed, held }: RemovalGuard): Snapshot {
  if (held.size === 0) return listed;
  const snapshot = new Map(listed);
  for (const [key, { endpoint }] of held) snapshot.set(key, endpoint);
  return snapshot;
}

/** One step. */
export function stepRemovalGuard(
  guard: RemovalGuard,
  input: RemovalGuardInput,
  context: RemovalGuardContext,
): RemovalGuardStep {
  if (input.type === 'look') return release(guard, [], context);
  const { update } = input;
  if (update.kind === 'failure') return finish({ ...guard, away: true }, [], context);
  const before = withoutLeft(guard, update.left ?? []);
  if (update.kind === 'reset') {
    const gone = [...before.listed.keys()].filter((key) => !update.snapshot.has(key));
    return onListed(before, update.snapshot, gone, context);
  }
  const gone = update.change.removed.filter((key) => !update.change.put.has(key));
  return onListed(before, applyChange(before.listed, update.change), gone, context);
}

/** As if those who left in order had never been listed: nothing about them is suspicious, whatever goes beside them. */
function withoutLeft(guard: RemovalGuard, left: readonly string[]): RemovalGuard {
  if (left.length === 0) return guard;
  const listed = new Map(guard.listed);
  const held = new Map(guard.held);
  for (const key of left) {
    listed.delete(key);
    held.delete(key);
  }
  const count = guard.listed.size - listed.size;
  const sizes = guard.sizes.map(({ at, size }) => ({ at, size: size - count }));
  return { ...guard, listed, held, sizes };
}

function onListed(
  before: RemovalGuard,
  listed: Snapshot,
  gone: readonly string[],
  context: RemovalGuardContext,
): RemovalGuardStep {
  const { now, policy } = context;
  const returnedAt = before.away ? now : before.returnedAt;
  const sizes = recentSizes(before, listed.size, context);
  const guard: RemovalGuard = { ...before, listed, away: false, returnedAt, sizes };
  if (policy === undefined) return finish(guard, [], context);

  const events: RemovalGuardEvent[] = [];
  const held = new Map(before.held);
  const isListed = listedAddresses(listed, held.size + gone.length > 0);
  const again = [...held].filter(([key, { endpoint }]) => listed.has(key) || isListed(endpoint));
  for (const [key] of again) held.delete(key);
  if (again.length > 0) {
    const addresses = again.map(([, { endpoint }]) => endpoint.address);
    events.push({ type: 'released', addresses, reason: 'listed' });
  }
  if (before.away) {
    for (const [key, { endpoint }] of held) held.set(key, { endpoint, since: now });
  }
  const reason = suspicion(guard, policy, now);
  if (reason !== undefined) {
    const addresses: string[] = [];
    for (const key of gone) {
      const endpoint = before.listed.get(key);
      if (endpoint === undefined || isListed(endpoint) || !context.isReady(endpoint.address)) {
        continue;
      }
      held.set(key, { endpoint, since: now });
      addresses.push(endpoint.address);
    }
    if (addresses.length > 0) events.push({ type: 'held', addresses, reason });
  }
  return finish({ ...guard, held }, events, context);
}

/** Why removals look like the registry's fault, if they do. */
function suspicion(
  { returnedAt, sizes }: RemovalGuard,
  policy: RemovalGuardPolicy,
  now: number,
): 'registry-returned' | 'many-at-once' | undefined {
  if (returnedAt !== undefined && now - returnedAt <= policy.recoveryMs) return 'registry-returned';
  const peak = Math.max(...sizes.map(({ size }) => size));
  const lost = peak - (sizes.at(-1)?.size ?? 0);
  // One server that leaves is a deploy, whatever its share.
  return lost >= 2 && lost >= peak * policy.minShare ? 'many-at-once' : undefined;
}

/** The sizes within the window, with the one it began with. */
function recentSizes(
  { sizes, listed }: RemovalGuard,
  size: number,
  { now, policy }: RemovalGuardContext,
): RemovalGuard['sizes'] {
  if (policy === undefined) return [];
  const known = sizes.length === 0 ? [{ at: now, size: listed.size }] : sizes;
  if (known.at(-1)?.size === size) return known;
  const isOld = known.map(({ at }) => now - at > policy.windowMs);
  // Growth of thousands, one by one, is no history that anybody asks for: only what was more than now is.
  const kept = known.filter((entry, index) => {
    const begins = isOld[index] === true && isOld[index + 1] !== true;
    return (begins || isOld[index] === false) && entry.size > size;
  });
  return [...kept, { at: now, size }];
}

function listedAddresses(listed: Snapshot, needed: boolean): (endpoint: Endpoint) => boolean {
  if (!needed) return () => false;
  const addresses = new Set([...listed.values()].map(({ address }) => address));
  return ({ address }) => addresses.has(address);
}

/** Lets go of what has no ready connection any more, or was held for long enough. */
function release(
  guard: RemovalGuard,
  before: readonly RemovalGuardEvent[],
  context: RemovalGuardContext,
): RemovalGuardStep {
  const { now, policy } = context;
  const held = new Map(guard.held);
  const events = [...before];
  const drop = (reason: 'disconnected' | 'expired', isOver: (entry: HeldEndpoint) => boolean) => {
    const over = [...held].filter(([, entry]) => isOver(entry));
    for (const [key] of over) held.delete(key);
    const addresses = over.map(([, { endpoint }]) => endpoint.address);
    if (addresses.length > 0) events.push({ type: 'released', addresses, reason });
  };
  drop('disconnected', ({ endpoint }) => !context.isReady(endpoint.address));
  if (!guard.away) {
    drop('expired', ({ since }) => policy === undefined || now - since >= policy.maxHoldMs);
  }
  return finish({ ...guard, held }, events, context);
}

function finish(
  guard: RemovalGuard,
  events: readonly RemovalGuardEvent[],
  { now, policy }: RemovalGuardContext,
): RemovalGuardStep {
  const due = [...guard.held.values()].map(({ since }) => since + (policy?.maxHoldMs ?? 0) - now);
  const lookInMs = guard.away || due.length === 0 ? undefined : Math.max(0, Math.min(...due));
  return { guard, events, lookInMs };
}
