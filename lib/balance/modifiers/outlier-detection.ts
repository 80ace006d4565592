import type { CallTally } from '../load/call-tally.js';

/** When an endpoint gets no calls because it fails more than the others. */
export interface OutlierOptions {
  /** How many failures in a row eject an endpoint, at least 1. Default 5 (Envoy's `consecutive_5xx`). */
  readonly consecutiveFailures?: number;
  /** By how much an endpoint's share of failures must exceed that of the others, in (0, 1]. Default 0.2. */
  readonly failureMargin?: number;
  /** How many calls within the window make the share of failures count, at least 1. Default 20. */
  readonly minRequests?: number;
  /** How far back the share of failures looks, in milliseconds. Default 10,000. */
  readonly windowMs?: number;
  /** How often all endpoints are judged, in milliseconds. Default 1000. */
  readonly intervalMs?: number;
  /** How long the first ejection lasts, in milliseconds; the n-th lasts n times as long. Default 10,000. */
  readonly baseEjectionMs?: number;
  /** How long an ejection lasts at most, in milliseconds. Default 300,000. */
  readonly maxEjectionMs?: number;
  /**
   * The share of the usable endpoints that may be ejected at one time, in [0, 1]. One endpoint may always be
   * ejected, the last one never. Default 0.5: when more than half of a fleet fails, ejecting the failing
   * endpoints only overloads the rest (Envoy's panic threshold).
   */
  readonly maxEjectedShare?: number;
}

/** One endpoint to be judged. */
interface OutlierMember {
  /** Counts how the endpoint's calls ended; also identifies the endpoint. */
  readonly tally: CallTally;
  /** Whether the endpoint could be called now, ejected or not. */
  readonly usable: boolean;
}

/** What outlier detection remembers about one endpoint. */
interface OutlierStanding {
  /** Until when the endpoint is ejected, in milliseconds; `undefined` while it is not ejected. */
  readonly ejectedUntilMs: number | undefined;
  /** The number of its ejections in a row; one less for each `baseEjectionMs` without an ejection. */
  readonly ejections: number;
  /** The beginning of the current window, in milliseconds. */
  readonly sinceMs: number;
  /** When the endpoint was last ejected, returned, or had an ejection forgiven, in milliseconds. */
  readonly forgivenMs: number;
  /** The successes in the tally at `sinceMs`. */
  readonly successes: number;
  /** The failures in the tally at `sinceMs`. */
  readonly failures: number;
}

/** The state of outlier detection, which begins as an empty map. */
export type OutlierState = ReadonlyMap<CallTally, OutlierStanding>;

/** The result of one step of outlier detection. */
export interface OutlierStep {
  readonly state: OutlierState;
  /** The endpoints to eject now, the worst first. */
  readonly ejected: readonly CallTally[];
  /** The endpoints whose ejection has ended. */
  readonly returned: readonly CallTally[];
  /** In how many milliseconds the next step is due at the latest. */
  readonly nextStepMs: number;
}

/** By how many standard errors two shares of failures must differ: chance does so once in 740 times. */
const SIGNIFICANCE = 3;

/** Whether an endpoint is ejected. */
export function isEjected(state: OutlierState, tally: CallTally): boolean {
  return state.get(tally)?.ejectedUntilMs !== undefined;
}

/** Whether a failure that was just recorded needs a step at once. O(1), for every call. */
export function wantsOutlierStep(tally: CallTally, options: OutlierOptions): boolean {
  // True at each multiple of `consecutiveFailures`, and not at every failure after the first multiple. If a
  // step did not eject the endpoint, the next step comes after as many failures again.
  return (
    tally.consecutiveFailures > 0 &&
    tally.consecutiveFailures % (options.consecutiveFailures ?? 5) === 0
  );
}

/**
 * Judges all endpoints.
 *
 * Source: Envoy's outlier detection and gRFC A50 (ejection time with multiplier, cap). Different here:
 * - A50 ejects endpoints below the mean minus 1.9 standard deviations; in a fleet of fewer than five no
 *   endpoint can be that low. This step compares each endpoint's share of failures with that of all others,
 *   by the test of two proportions, which works from two endpoints on.
 * - Failures in a row do not eject an endpoint while the last call failed on at least half of the others too:
 *   a fault that all share (a database, a caller's bad request) is no outlier.
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
  // If the fleet has shrunk, more endpoints may be ejected than allowed: those that would return first return
  // now.
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

/** Whether one share of failures exceeds another, by the test of two proportions with pooled variance. */
function exceeds(one: Counts, others: Counts, options: OutlierOptions): boolean {
  const calls = one.successes + one.failures;
  const otherCalls = others.successes + others.failures;
  if (Math.min(calls, otherCalls) < (options.minRequests ?? 20)) return false;
  const excess = one.failures / calls - others.failures / otherCalls;
  const pooled = (one.failures + others.failures) / (calls + otherCalls);
  const standardError = Math.sqrt(pooled * (1 - pooled) * (1 / calls + 1 / otherCalls));
  return excess >= (options.failureMargin ?? 0.2) && excess >= SIGNIFICANCE * standardError;
}

/** What time alone changes: an ejection ends, an ejection is forgiven, or a new window begins. */
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
  // No new window begins during failures in a row, so that one window has all of them.
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
