/**
 * The watch on one prefix as a state machine: list at revision R, watch from R + 1; on anything odd list again and let
 * the difference speak. It never gives up, and resumes by revision only where it paused by itself: in a flood of changes, which the
 * registry tells in one reply afterwards instead of one by one.
 * Pure: a step takes a state and an event and returns the next state and the effects as data; one runner performs them.
 */
import { type BackoffPolicy, backoffDelayMs } from '../backoff.js';
import type { Random } from '../clock.js';
import type { DiscoveryError } from '../discovery-error.js';
import type { WatchEvent } from '../discovery-event.js';

/** Where the machine is. */
export type WatchPhase =
  | { readonly name: 'idle' }
  | { readonly name: 'listing'; readonly attempt: number }
  /** The watch was asked for and is not confirmed yet. */
  | {
      readonly name: 'opening';
      readonly attempt: number;
      readonly revision: bigint;
      /** Set where it goes on after a pause. */
      readonly resumes?: WatchCourse;
    }
  | ({ readonly name: 'watching'; readonly attempt: number } & WatchCourse)
  /** No stream is open for a moment, because too many changes come. */
  | ({ readonly name: 'pausing'; readonly attempt: number } & WatchCourse)
  | { readonly name: 'backing-off'; readonly attempt: number }
  | { readonly name: 'stopped' };

/** What a watch keeps through its pauses. */
export interface WatchCourse {
  /** When it was confirmed first. */
  readonly since: number;
  /** When it lists again for certainty. */
  readonly relistAt: number;
}

/** The registry's own account of itself in every reply. */
export interface RegistryPosition {
  readonly revision: bigint;
  readonly clusterId: string;
}

/** The whole state. */
export interface WatchMachine {
  readonly phase: WatchPhase;
  /** The last list's position, or up to where the watch was followed when it paused; `undefined` before the first list. */
  readonly position: RegistryPosition | undefined;
  /** What was last told: in agreement with the registry, or interrupted; `undefined` before either. */
  readonly synced: boolean | undefined;
}

/** What can happen to the machine. */
export type WatchInput =
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  | { readonly type: 'listed'; readonly position: RegistryPosition }
  | { readonly type: 'created'; readonly position: RegistryPosition }
  /** The request or the stream failed, ended, or was cancelled by the registry. */
  | { readonly type: 'failed'; readonly error: DiscoveryError }
  /** More changes come than should be taken in one by one; the last one that was taken in is of this revision. */
  | { readonly type: 'flooded'; readonly revision: bigint }
  /** What was being waited for is due: the retry, the confirmation's deadline or the periodic list. */
  | { readonly type: 'timer' }
  /** A sign that the registry answers again: do not wait any longer. */
  | { readonly type: 'registry-back' }
  /** The registry was away for all of this process and answers again: a watch that did not notice may have been deaf. */
  | { readonly type: 'registry-was-away' };

/** What the runner is to do. */
export type WatchEffect =
  | { readonly type: 'list' }
  /** Open a stream that delivers every event from this revision on; any earlier stream is closed. */
  | { readonly type: 'open'; readonly fromRevision: bigint }
  | { readonly type: 'close' }
  /** Replaces any earlier timer. */
  | { readonly type: 'timer'; readonly delayMs: number }
  | { readonly type: 'emit'; readonly event: WatchEvent };

/** What a step may look at besides state and input. */
export interface WatchContext {
  readonly now: number;
  readonly prefix: string;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  /** How long a watch may take to be confirmed, in milliseconds. */
  readonly createTimeoutMs: number;
  /** Mean time between two full lists, in milliseconds; each is drawn from ±50 % around it. */
  readonly relistIntervalMs: number;
  /** Makes the error for a confirmation that did not come. */
  readonly createTimedOut: () => DiscoveryError;
  /** Makes the error for a watch that is not on the history which was listed. */
  readonly disagreed: (listed: RegistryPosition, watched: RegistryPosition) => DiscoveryError;
}

/** A next state and what to do on the way into it. */
export interface WatchStep {
  readonly machine: WatchMachine;
  readonly effects: readonly WatchEffect[];
}

/** The machine before it is started. */
export const INITIAL_WATCH_MACHINE: WatchMachine = {
  phase: { name: 'idle' },
  position: undefined,
  synced: undefined,
};

/** A watch that lived this long, in milliseconds, has shown that it works: the next backoff starts anew. */
const PROVEN_AFTER_MS = 10_000;

/** Mean length of a pause, ±50 %, in milliseconds: thousands of processes that see the same flood must not come back in one moment. */
const PAUSE_MS = 200;

/** How many failed attempts count at most once the registry is back: with the default backoff the next delay is 3.2 s at most. */
const ATTEMPTS_AFTER_RETURN = 4;

/** Within this a watch that may be deaf lists again after the registry was away, in milliseconds. */
const CHECK_SPREAD_MS = 30_000;

/** One step. Inputs that answer nothing in flight are ignored. */
export function stepWatch(
  machine: WatchMachine,
  input: WatchInput,
  context: WatchContext,
): WatchStep {
  const { phase } = machine;
  if (phase.name === 'stopped') return stay(machine);
  switch (input.type) {
    case 'start':
      return phase.name === 'idle' ? list(machine, 0) : stay(machine);
    case 'stop':
      return {
        machine: { ...machine, phase: { name: 'stopped' } },
        effects: [{ type: 'close' }],
      };
    case 'listed':
      return phase.name === 'listing'
        ? onListed(machine, phase.attempt, input.position, context)
        : stay(machine);
    case 'created':
      return phase.name === 'opening'
        ? onCreated(machine, phase, input.position, context)
        : stay(machine);
    case 'failed':
      return phase.name === 'idle' || phase.name === 'backing-off' || phase.name === 'pausing'
        ? stay(machine)
        : backOff(machine, input.error, context);
    case 'flooded':
      return phase.name === 'watching'
        ? pause(machine, phase, input.revision, context)
        : stay(machine);
    case 'timer':
      if (phase.name === 'opening') return backOff(machine, context.createTimedOut(), context);
      if (phase.name === 'watching') return list(machine, failedAttempts(phase, context.now));
      if (phase.name === 'pausing') return resume(machine, phase, context);
      return phase.name === 'backing-off' ? list(machine, phase.attempt) : stay(machine);
    case 'registry-back':
      return phase.name === 'backing-off' ? list(machine, phase.attempt) : stay(machine);
    case 'registry-was-away':
      if (phase.name === 'watching') return check(machine, phase, context);
      if (phase.name === 'pausing') {
        return stay({ ...machine, phase: { ...phase, ...checked(phase, context) } });
      }
      if (phase.name === 'opening' && phase.resumes !== undefined) {
        const resumes = checked(phase.resumes, context);
        return stay({ ...machine, phase: { ...phase, attempt: soon(phase.attempt), resumes } });
      }
      // How long it was away says little about how the next attempt ends, and it may be back only until all have asked.
      if (phase.name === 'backing-off') return list(machine, soon(phase.attempt));
      return 'attempt' in phase
        ? stay({ ...machine, phase: { ...phase, attempt: soon(phase.attempt) } })
        : stay(machine);
  }
}

function soon(attempt: number): number {
  return Math.min(attempt, ATTEMPTS_AFTER_RETURN);
}

/**
 * A watch that is confirmed is most likely right: one request that was not answered says little about it, and thousands of processes
 * that list everything at once keep etcd from answering. It lists at a random moment soon, once however often the registry returns.
 */
function check(
  machine: WatchMachine,
  phase: Extract<WatchPhase, { name: 'watching' }>,
  { now, random }: WatchContext,
): WatchStep {
  if (phase.relistAt - now <= CHECK_SPREAD_MS) return stay(machine);
  const delayMs = random() * CHECK_SPREAD_MS;
  return {
    machine: { ...machine, phase: { ...phase, relistAt: now + delayMs } },
    effects: [{ type: 'timer', delayMs }],
  };
}

/** The same for a watch in a pause, or at its end: by the revision alone it cannot tell a history that has overtaken its own. */
function checked({ since, relistAt }: WatchCourse, { now, random }: WatchContext): WatchCourse {
  if (relistAt - now <= CHECK_SPREAD_MS) return { since, relistAt };
  return { since, relistAt: now + random() * CHECK_SPREAD_MS };
}

/** The running watch ends first: an event that overtook the list would be undone by it. */
function list(machine: WatchMachine, attempt: number): WatchStep {
  return {
    machine: { ...machine, phase: { name: 'listing', attempt } },
    effects: [{ type: 'close' }, { type: 'list' }],
  };
}

/** What changes in a pause, the registry tells in one reply after it: that costs either side a small part of one reply each. */
function pause(
  machine: WatchMachine,
  watching: Extract<WatchPhase, { name: 'watching' }>,
  revision: bigint,
  { now, random }: WatchContext,
): WatchStep {
  const { position } = machine;
  const { since, relistAt } = watching;
  const attempt = failedAttempts(watching, now);
  return {
    machine: {
      ...machine,
      phase: { name: 'pausing', attempt, since, relistAt },
      position: position === undefined ? undefined : { ...position, revision },
    },
    effects: [{ type: 'close' }, { type: 'timer', delayMs: PAUSE_MS * (0.5 + random()) }],
  };
}

function resume(
  machine: WatchMachine,
  { attempt, since, relistAt }: Extract<WatchPhase, { name: 'pausing' }>,
  { now, createTimeoutMs }: WatchContext,
): WatchStep {
  const { position } = machine;
  if (position === undefined || relistAt <= now) return list(machine, attempt);
  const { revision } = position;
  return {
    machine: {
      ...machine,
      phase: { name: 'opening', attempt, revision, resumes: { since, relistAt } },
    },
    effects: [
      { type: 'open', fromRevision: revision + 1n },
      { type: 'timer', delayMs: createTimeoutMs },
    ],
  };
}

function onListed(
  machine: WatchMachine,
  attempt: number,
  position: RegistryPosition,
  context: WatchContext,
): WatchStep {
  const effects: WatchEffect[] = [];
  if (machine.position !== undefined && isReset(machine.position, position)) {
    effects.push({
      type: 'emit',
      event: { type: 'registry-reset', prefix: context.prefix },
    });
  }
  effects.push(
    { type: 'open', fromRevision: position.revision + 1n },
    { type: 'timer', delayMs: context.createTimeoutMs },
  );
  const phase: WatchPhase = {
    name: 'opening',
    attempt,
    revision: position.revision,
  };
  return { machine: { ...machine, phase, position }, effects };
}

function onCreated(
  machine: WatchMachine,
  phase: Extract<WatchPhase, { name: 'opening' }>,
  position: RegistryPosition,
  context: WatchContext,
): WatchStep {
  // Another history than the one that was listed: its events would never come.
  if (machine.position !== undefined && isReset(machine.position, position)) {
    return backOff(machine, context.disagreed(machine.position, position), context);
  }
  const { now } = context;
  const { since, relistAt } = phase.resumes ?? {
    since: now,
    relistAt: now + context.relistIntervalMs * (0.5 + context.random()),
  };
  const effects: WatchEffect[] = [{ type: 'timer', delayMs: Math.max(0, relistAt - now) }];
  if (machine.synced !== true) {
    const { prefix } = context;
    const revision = String(phase.revision);
    effects.push({
      type: 'emit',
      event: { type: 'watch-synced', prefix, revision },
    });
  }
  const watching: WatchPhase = { name: 'watching', attempt: phase.attempt, since, relistAt };
  return { machine: { ...machine, phase: watching, synced: true }, effects };
}

/** Whether `after` cannot come from the history that `before` was read from. */
function isReset(before: RegistryPosition, after: RegistryPosition): boolean {
  if (after.revision < before.revision) return true;
  return after.clusterId !== before.clusterId && isNamed(before) && isNamed(after);
}

/** etcd's own proxy confirms all watches on a prefix but the first by itself, and names no cluster then. */
function isNamed({ clusterId }: RegistryPosition): boolean {
  return clusterId !== '0';
}

function backOff(machine: WatchMachine, error: DiscoveryError, context: WatchContext): WatchStep {
  const attempt = failedAttempts(machine.phase, context.now);
  const delayMs = backoffDelayMs(context.backoff, attempt, context.random);
  const effects: WatchEffect[] = [{ type: 'close' }, { type: 'timer', delayMs }];
  if (machine.synced !== false) {
    const { prefix } = context;
    effects.push({
      type: 'emit',
      event: { type: 'watch-interrupted', prefix, error, retryInMs: delayMs },
    });
  }
  const phase: WatchPhase = { name: 'backing-off', attempt: attempt + 1 };
  return { machine: { ...machine, phase, synced: false }, effects };
}

function failedAttempts(phase: WatchPhase, now: number): number {
  if (phase.name === 'watching' && now - phase.since >= PROVEN_AFTER_MS) return 0;
  return 'attempt' in phase ? phase.attempt : 0;
}

function stay(machine: WatchMachine): WatchStep {
  return { machine, effects: [] };
}
