import type { CallTally } from '../load/call-tally.js';

/** When an endpoint is left out for failing more than the others. */
export interface OutlierOptions {
  /** Failures in a row that eject, at least 1. Default 5 (Envoy's `consecutive_5xx`). */
  readonly consecutiveFailures?: number;
  /** By how much the share of failed calls must exceed that of the others, in (0, 1]. Default 0.2. */
  readonly failureMargin?: number;
  /** The calls within the window that the share of failures needs to count, at least 1. Default 20. */
  readonly minRequests?: number;
  /** How far back the share of failures looks, in milliseconds. Default 10,000. */
  readonly windowMs?: number;
  /** How often all endpoints are judged, in milliseconds. Default 1000. */
  readonly intervalMs?: number;
  /** How long the first ejection lasts, in milliseconds; the n-th lasts n times as long. Default 10,000. */
  readonly baseEjectionMs?: number;
  /** No ejection lasts longer than this, in milliseconds. Default 300,000. */
  readonly maxEjectionMs?: number;
  /**
   * The share of the usable endpoints that may be ejected at a time, in [0, 1]. One always may, the last never. Default
   * 0.5: when more than half of a fleet fail, leaving them out only crushes the rest (Envoy's panic threshold).
   */
  readonly maxEjectedShare?: number;
}

/** One endpoint to be judged. */
export interface OutlierMember {
  /** How its calls ended; its identity as well. */
  readonly tally: CallTally;
  /** Whether it could be called now, ejected or not. */
  readonly usable: boolean;
}

/** What the machine keeps of one endpoint. */
export interface OutlierStanding {
  /** Until when it is ejected, in milliseconds; `undefined` while it is not. */
  readonly ejectedUntilMs: number | undefined;
  /** How many times in a row it was ejected; one less for each `baseEjectionMs` without. */
  readonly ejections: number;
  /** Since when the counts below hold, in milliseconds. */
  readonly sinceMs: number;
  /** When it was last ejected, returned, or had an ejection forgiven, in milliseconds. */
  readonly forgivenMs: number;
  /** What the tally said at `sinceMs`. */
  readonly successes: number;
  /** What the tally said at `sinceMs`. */
  readonly failures: number;
}

/** The state of the machine: begin with an empty map. */
export type OutlierState = ReadonlyMap<CallTally, OutlierStanding>;

/** The result of one step. */
export interface OutlierStep {
  readonly state: OutlierState;
  /** The endpoints to eject now, the worst first. */
  readonly ejected: readonly CallTally[];
  /** The endpoints whose ejection has ended. */
  readonly returned: readonly CallTally[];
  /** Step again after this many milliseconds at the latest. */
  readonly nextStepMs: number;
}

/** Standard errors of the difference by which shares of failures must differ: chance does so once in 740 times. */
const SIGNIFICANCE = 3;

/** Whether an endpoint is ejected. */
export function isEjected(state: OutlierState, tally: CallTally): boolean {
  return state.get(tally)?.ejectedUntilMs !== undefined;
}

/** Whether a failure that was just recorded needs a step at once and not at the next interval. O(1), for every call. */
export function wantsOutlierStep(tally: CallTally, options: OutlierOptions): boolean {
  // Each multiple, not each failure after the first: where a step did not eject, the next one comes after as many failures again.
  return (
    tally.consecutiveFailures > 0 &&
    tally.consecutiveFailures % (options.consecutiveFailures ?? 5) === 0
  );
}

/**
 * Judges all endpoints.
 *
 * Source: Envoy's outlier detection and gRFC A50 (ejection time with multiplier, cap). Different here:
 * - A50 compares with the mean minus 1.9 standard deviations, which no endpoint of a fleet below five can fall under. This
 *   compares each endpoint's share of failures with that of all others by the test of two proportions, which works from
 *   two endpoints on.
 * - Failures in a row do not eject while the last call failed on at least half of the others too: a fault all share (a
 *   database, a caller's bad request) is no outlier.
 *
 * @param state what the previous step returned
 * @param members all known endpoints; the state of others is removed
 * @param nowMs monotonic milliseconds
 */
export function stepOutliers(
  state: OutlierState,
  members: readonly OutlierMember[],
  options: OutlierOptions,
  nowMs: number,
): OutlierStep {
  const standings = new Map<CallTally, OutlierStanding>();
  const returned: CallTally[] = [];
  for (const { tally } of members) {
    const known = state.get(tally);
    const standing =
      known === undefined ? mark(tally, 0, nowMs) : advance(known, tally, options, nowMs);
    if (known?.ejectedUntilMs !== undefined && standing.ejectedUntilMs === undefined)
      returned.push(tally);
    standings.set(tally, standing);
  }

  const usable = members.filter((member) => member.usable).map((member) => member.tally);
  const out = usable.filter((tally) => isEjected(standings, tally));
  const cap = Math.min(
    usable.length - 1,
    Math.max(1, Math.floor(usable.length * (options.maxEjectedShare ?? 0.5))),
  );
  // The fleet has shrunk below the allowed share of ejected endpoints: those that would return first return now.
  out.sort(
    (one, other) => standings.get(other)!.ejectedUntilMs! - standings.get(one)!.ejectedUntilMs!,
  );
  while (out.length > Math.max(0, cap)) {
    const tally = out.pop()!;
    standings.set(tally, mark(tally, standings.get(tally)!.ejections, nowMs));
    returned.push(tally);
  }

  const ejected: CallTally[] = [];
  const suspects = findSuspects(
    usable.filter((tally) => !isEjected(standings, tally)),
    standings,
    options,
  );
  for (const tally of suspects.slice(0, Math.max(0, cap - out.length))) {
    const ejections = standings.get(tally)!.ejections + 1;
    const lastsMs = Math.min(
      (options.baseEjectionMs ?? 10_000) * ejections,
      options.maxEjectionMs ?? 300_000,
    );
    standings.set(tally, { ...mark(tally, ejections, nowMs), ejectedUntilMs: nowMs + lastsMs });
    ejected.push(tally);
  }

  let nextStepMs = options.intervalMs ?? 1_000;
  for (const { ejectedUntilMs } of standings.values()) {
    if (ejectedUntilMs !== undefined) nextStepMs = Math.min(nextStepMs, ejectedUntilMs - nowMs);
  }
  return { state: standings, ejected, returned, nextStepMs };
}

/** The endpoints that fail more than the others, the worst first. */
function findSuspects(
  tallies: readonly CallTally[],
  standings: OutlierState,
  options: OutlierOptions,
): readonly CallTally[] {
  let successes = 0;
  let failures = 0;
  let failing = 0;
  const windows = tallies.map((tally) => {
    const standing = standings.get(tally)!;
    const window = {
      tally,
      successes: tally.successes - standing.successes,
      failures: tally.failures - standing.failures,
    };
    successes += window.successes;
    failures += window.failures;
    if (tally.consecutiveFailures > 0) failing++;
    return window;
  });
  const suspects: { readonly tally: CallTally; readonly failureShare: number }[] = [];
  for (const window of windows) {
    const { tally } = window;
    const total = window.successes + window.failures;
    const share = total === 0 ? 0 : window.failures / total;
    const others = tallies.length - 1;
    const othersFailing = failing - (tally.consecutiveFailures > 0 ? 1 : 0);
    const streak =
      Math.min(tally.consecutiveFailures, window.failures) >= (options.consecutiveFailures ?? 5);
    const isOutlier =
      (streak && othersFailing * 2 < others) ||
      exceeds(
        window,
        { successes: successes - window.successes, failures: failures - window.failures },
        options,
      );
    if (isOutlier) suspects.push({ tally, failureShare: share });
  }
  return suspects
    .sort((one, other) => other.failureShare - one.failureShare)
    .map(({ tally }) => tally);
}

interface Counts {
  readonly successes: number;
  readonly failures: number;
}

/** The test of two proportions with pooled variance. */
function exceeds(one: Counts, others: Counts, options: OutlierOptions): boolean {
  const calls = one.successes + one.failures;
  const otherCalls = others.successes + others.failures;
  if (Math.min(calls, otherCalls) < (options.minRequests ?? 20)) return false;
  const excess = one.failures / calls - others.failures / otherCalls;
  const pooled = (one.failures + others.failures) / (calls + otherCalls);
  const standardError = Math.sqrt(pooled * (1 - pooled) * (1 / calls + 1 / otherCalls));
  return excess >= (options.failureMargin ?? 0.2) && excess >= SIGNIFICANCE * standardError;
}

/** What time alone changes: the end of an ejection, forgiveness, a new window. */
function advance(
  standing: OutlierStanding,
  tally: CallTally,
  options: OutlierOptions,
  nowMs: number,
): OutlierStanding {
  const { ejectedUntilMs, ejections, forgivenMs } = standing;
  if (ejectedUntilMs !== undefined) {
    return nowMs >= ejectedUntilMs ? mark(tally, ejections, nowMs) : standing;
  }
  const healthyMs = nowMs - forgivenMs;
  const forgiven = Math.floor(healthyMs / (options.baseEjectionMs ?? 10_000));
  const next: OutlierStanding =
    forgiven > 0
      ? { ...standing, ejections: Math.max(0, ejections - forgiven), forgivenMs: nowMs }
      : standing;
  const calls = tally.successes - standing.successes + tally.failures - standing.failures;
  const isOver =
    nowMs - standing.sinceMs >= (options.windowMs ?? 10_000) &&
    calls >= (options.minRequests ?? 20);
  // A window never cuts a streak in two.
  if (!isOver || tally.consecutiveFailures > 0) return next;
  return { ...next, sinceMs: nowMs, successes: tally.successes, failures: tally.failures };
}

function mark(tally: CallTally, ejections: number, nowMs: number): OutlierStanding {
  return {
    ejectedUntilMs: undefined,
    ejections,
    sinceMs: nowMs,
    forgivenMs: nowMs,
    successes: tally.successes,
    failures: tally.failures,
  };
}
