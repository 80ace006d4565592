/**
 * The watch on one prefix as a state machine: list at revision R, watch from R + 1. After any fault it lists
 * again, and the runner passes on the difference. It never gives up. It resumes by revision, without a list,
 * only after a pause of its own during a flood of changes: the registry then sends the changes in one reply.
 * Pure: a step takes a state and an event and returns the next state and the effects as data; one runner
 * performs them.
 */
import { type BackoffPolicy, backoffDelayMs, longestDelayMs } from '../backoff.js';
import type { Random } from '../clock.js';
import type { DiscoveryError } from '../discovery-error.js';
import type { WatchEvent } from '../discovery-event.js';

/** The phase of the watch machine. */
type WatchPhase =
  | { readonly name: 'idle' }
  | { readonly name: 'listing'; readonly attempt: number }
  /** The watch was requested, and the registry has not confirmed it yet. */
  | {
      readonly name: 'opening';
      readonly attempt: number;
      readonly revision: bigint;
      /** Set if the watch continues after a pause. */
      readonly resumes?: WatchCourse;
    }
  | ({ readonly name: 'watching'; readonly attempt: number } & WatchCourse)
  /** The stream is closed for a moment, because too many changes arrive. */
  | ({ readonly name: 'pausing'; readonly attempt: number } & WatchCourse)
  | { readonly name: 'backing-off'; readonly attempt: number }
  | { readonly name: 'stopped' };

/** What a confirmed watch keeps over its pauses. */
interface WatchCourse {
  /** When the watch was first confirmed. */
  readonly since: number;
  /** When the next periodic list is due. */
  readonly relistAt: number;
}

/** What every reply of the registry says about its history. */
export interface RegistryPosition {
  readonly revision: bigint;
  readonly clusterId: string;
}

/** The whole state of the watch machine. */
export interface WatchMachine {
  readonly phase: WatchPhase;
  /**
   * The position of the last list, or of the last change before a pause; `undefined`: there was no list yet.
   */
  readonly position: RegistryPosition | undefined;
  /** True: the last event was `watch-synced`; false: `watch-interrupted`; `undefined`: none was emitted. */
  readonly synced: boolean | undefined;
}

/** What can happen to the watch machine. */
export type WatchInput =
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  | { readonly type: 'listed'; readonly position: RegistryPosition }
  | { readonly type: 'created'; readonly position: RegistryPosition }
  /** A request or the stream failed or ended, or the registry cancelled the watch. */
  | { readonly type: 'failed'; readonly error: DiscoveryError }
  /** Changes arrive too fast to be processed one by one; `revision`: of the last processed change. */
  | { readonly type: 'flooded'; readonly revision: bigint }
  /** The time of the last `timer` effect is over: a retry, an overdue confirmation, or the periodic list. */
  | { readonly type: 'timer' }
  /** The registry answers again: the machine ends its backoff and retries at once. */
  | { readonly type: 'registry-back' }
  /**
   * The registry was unreachable for all requests of this process, and answers again: a confirmed watch may
   * have missed events.
   */
  | { readonly type: 'registry-was-away' };

/** An effect of a step: what the runner of the watch machine is to do. */
export type WatchEffect =
  | { readonly type: 'list' }
  /** Opens a stream with every event from this revision on. The machine has closed any earlier stream. */
  | { readonly type: 'open'; readonly fromRevision: bigint }
  | { readonly type: 'close' }
  /** Starts a timer, which replaces any earlier timer. */
  | { readonly type: 'timer'; readonly delayMs: number }
  | { readonly type: 'emit'; readonly event: WatchEvent };

/** What a step of the watch machine may read besides state and input. */
export interface WatchContext {
  readonly now: number;
  readonly prefix: string;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  /** A watch that the registry has not confirmed after this time has failed, in milliseconds. */
  readonly createTimeoutMs: number;
  /** Mean time between two periodic lists, in milliseconds; each interval is drawn from ±50 % around it. */
  readonly relistIntervalMs: number;
  /** Creates the error for a watch that was not confirmed in time. */
  readonly createTimedOut: () => DiscoveryError;
  /** Creates the error for a watch on another history than that of the list. */
  readonly disagreed: (listed: RegistryPosition, watched: RegistryPosition) => DiscoveryError;
}

/** The result of a step: the next state, and what to do on the way into it. */
interface WatchStep {
  readonly machine: WatchMachine;
  readonly effects: readonly WatchEffect[];
}

/** The state of the watch machine before `start`. */
export const INITIAL_WATCH_MACHINE: WatchMachine = {
  phase: { name: 'idle' },
  position: undefined,
  synced: undefined,
};

/** How long a watch must live, in milliseconds, so that the next backoff counts no earlier failure. */
const PROVEN_AFTER_MS = 10_000;

/** Mean length of a pause, in milliseconds, ±50 %, so that processes open their watches again one by one. */
const PAUSE_MS = 200;

/**
 * Once the registry answers again or confirms the watch, the backoff counts no more failed attempts than
 * this: with the default backoff, the next delay is 3.2 s or less. How long an outage took says little about
 * the next failure.
 */
const ATTEMPTS_AFTER_RETURN = 4;

/** After an outage a confirmed watch lists again at a random moment within this time, in milliseconds. */
const CHECK_SPREAD_MS = 30_000;

/** One step of the watch machine. An answer is ignored if no request of its kind is in flight. */
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
      if (phase.name === 'watching') return list(machine, failedAttempts(phase, context));
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
      // The backoff becomes shorter, because a long outage says little about the next attempt. It does not
      // begin anew, because all clients return at the same time and their load may end the recovery.
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
 * Schedules a list at a random moment within 30 s, to check a confirmed watch. The watch most likely works,
 * and thousands of processes that list at the same moment would overload etcd. Further outages within that
 * time add no list.
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

/**
 * As `check`, for a watch that pauses or resumes: its revision does not show whether the registry was
 * restored to another history, which may have reached a higher revision.
 */
function checked({ since, relistAt }: WatchCourse, { now, random }: WatchContext): WatchCourse {
  if (relistAt - now <= CHECK_SPREAD_MS) return { since, relistAt };
  return { since, relistAt: now + random() * CHECK_SPREAD_MS };
}

/**
 * Closes the running watch and lists: an event that arrived before the list may be newer than the list, which
 * would undo it.
 */
function list(machine: WatchMachine, attempt: number): WatchStep {
  return {
    machine: { ...machine, phase: { name: 'listing', attempt } },
    effects: [{ type: 'close' }, { type: 'list' }],
  };
}

/**
 * Closes the stream for a moment. Then the registry sends all changes since in one reply, which is far less
 * work for both sides.
 */
function pause(
  machine: WatchMachine,
  watching: Extract<WatchPhase, { name: 'watching' }>,
  revision: bigint,
  context: WatchContext,
): WatchStep {
  const { position } = machine;
  const { since, relistAt } = watching;
  const attempt = failedAttempts(watching, context);
  return {
    machine: {
      ...machine,
      phase: { name: 'pausing', attempt, since, relistAt },
      position: position === undefined ? undefined : { ...position, revision },
    },
    effects: [{ type: 'close' }, { type: 'timer', delayMs: PAUSE_MS * (0.5 + context.random()) }],
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
  // The watch is on another history than the list: the events after the list would never arrive.
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
  const attempt = soon(phase.attempt);
  const watching: WatchPhase = { name: 'watching', attempt, since, relistAt };
  return { machine: { ...machine, phase: watching, synced: true }, effects };
}

/** Whether two positions are from different histories: the registry was wiped or restored in between. */
function isReset(before: RegistryPosition, after: RegistryPosition): boolean {
  if (after.revision < before.revision) return true;
  return after.clusterId !== before.clusterId && isNamed(before) && isNamed(after);
}

/**
 * Whether a position names its cluster. etcd's own proxy sends cluster id 0 when it confirms a watch, except
 * for the first watch on a prefix.
 */
function isNamed({ clusterId }: RegistryPosition): boolean {
  return clusterId !== '0';
}

function backOff(machine: WatchMachine, error: DiscoveryError, context: WatchContext): WatchStep {
  const attempt = failedAttempts(machine.phase, context);
  const delayMs = backoffDelayMs(context.backoff, attempt, context.random);
  const effects: WatchEffect[] = [{ type: 'close' }, { type: 'timer', delayMs }];
  if (machine.synced !== false) {
    const { prefix } = context;
    const first = machine.position === undefined ? { beforeFirstList: true as const } : {};
    effects.push({
      type: 'emit',
      event: { type: 'watch-interrupted', prefix, error, retryInMs: delayMs, ...first },
    });
  }
  const phase: WatchPhase = { name: 'backing-off', attempt: attempt + 1 };
  return { machine: { ...machine, phase, synced: false }, effects };
}

/**
 * How many failed attempts the next backoff counts. A watch that lived for `PROVEN_AFTER_MS` resets the
 * count. A watch that lived at least as long as the delay just before it could have lasted adds nothing to
 * the count. Without this rule the delay would grow to 30 s while the members of a registry restart one after
 * the other.
 */
function failedAttempts(phase: WatchPhase, { now, backoff }: WatchContext): number {
  if (phase.name !== 'watching') return 'attempt' in phase ? phase.attempt : 0;
  const livedMs = now - phase.since;
  if (livedMs >= PROVEN_AFTER_MS) return 0;
  const before = Math.max(0, phase.attempt - 1);
  return livedMs >= longestDelayMs(backoff, before) ? before : phase.attempt;
}

function stay(machine: WatchMachine): WatchStep {
  return { machine, effects: [] };
}
