import type { Candidate } from './candidate.js';
import {
  splitByLocality,
  type LocalityMember,
  type LocalityOptions,
} from './modifiers/locality-split.js';
import type { Pool } from './pool.js';
import { matchesEndpoint, type RoutingOptions } from './modifiers/routing.js';
import {
  nextSlowStartStepMs,
  slowStartShare,
  type SlowStartOptions,
} from './modifiers/slow-start.js';

/** The modifiers of a client; each may be left out. */
export interface PipelineOptions {
  readonly routing?: RoutingOptions;
  readonly locality?: LocalityOptions;
  readonly slowStart?: SlowStartOptions;
}

/** What the balancer knows of its endpoints at one moment. */
export interface PipelineInput<C extends Candidate> {
  /** All endpoints of the list (of the subset, if there is one), connected or not. */
  readonly candidates: readonly C[];
  /** Whether a candidate's connection is ready. */
  readonly isReady: (candidate: C) => boolean;
  /** Whether a candidate is known not to serve: one that is neither this nor ready has not been tried yet. */
  readonly isMissing: (candidate: C) => boolean;
  /** Whether outlier detection has ejected a candidate. */
  readonly isEjected: (candidate: C) => boolean;
  /** Whether the policy goes by the weight in the record; otherwise all weigh 1 before modifiers. */
  readonly isWeighted: boolean;
}

/** The candidates a policy may choose from. */
export interface PipelineResult<C extends Candidate> {
  /** For ordinary calls; `undefined` if no candidate can take them. */
  readonly stable: Pool<C> | undefined;
  /** For calls the canary rule selects; `undefined` without a rule or without canaries. */
  readonly canary: Pool<C> | undefined;
  /** Run the pipeline again after this many milliseconds at the latest; `undefined`: only when something changes. */
  readonly recomputeMs: number | undefined;
}

/**
 * Applies the modifiers in the order in which each needs the result of the one before:
 *
 * 1. **routing** leaves the endpoints that may be called at all, and sets the canaries apart;
 * 2. **readiness** and **outlier ejection** leave those that can be called, unless that leaves none: then ejected ones
 *    are used after all, because a call that may fail is better than a call that certainly fails;
 * 3. **locality** compares them with all that step 1 left, and moves weight to other zones as far as the own is short;
 *    an endpoint that has not been tried yet is not missing;
 * 4. **slow start** takes weight from those that have just joined.
 *
 * If only canaries are left they take all calls, as the others do when there are no canaries. The subset comes before all
 * of this (`pickSubset`), because it decides which endpoints are connected to.
 *
 * O(n). For every policy the result is a list and a weight for each, so each policy combines with each modifier.
 */
export function composePools<C extends Candidate>(
  input: PipelineInput<C>,
  options: PipelineOptions,
  nowMs: number,
): PipelineResult<C> {
  const { match, canary } = options.routing ?? {};
  const allowed =
    match === undefined
      ? input.candidates
      : input.candidates.filter((one) => matchesEndpoint(one, match));
  const canaries =
    canary === undefined ? [] : allowed.filter((one) => matchesEndpoint(one, canary.match));
  const others =
    canary === undefined ? allowed : allowed.filter((one) => !matchesEndpoint(one, canary.match));
  const stablePool = composePool(others, input, options, nowMs);
  const canaryPool = composePool(canaries, input, options, nowMs);
  return {
    stable: stablePool ?? canaryPool,
    canary: stablePool === undefined ? undefined : canaryPool,
    recomputeMs: recomputeMs(allowed, options.slowStart, nowMs),
  };
}

function composePool<C extends Candidate>(
  candidates: readonly C[],
  input: PipelineInput<C>,
  options: PipelineOptions,
  nowMs: number,
): Pool<C> | undefined {
  // This runs over all connections at each change of one: it allocates nothing for connections that are not ready.
  const ready = candidates.filter(input.isReady);
  const healthy = ready.filter((candidate) => !input.isEjected(candidate));
  const usable = healthy.length > 0 ? healthy : ready;
  const factors =
    options.locality === undefined
      ? undefined
      : localityFactors(candidates, new Set(usable), input, options.locality);
  const chosen: C[] = [];
  const weights: number[] = [];
  for (const candidate of usable) {
    const factor = factors?.get(candidate) ?? 1;
    const weight = (input.isWeighted ? candidate.weight : 1) * factor;
    if (weight === 0) continue;
    chosen.push(candidate);
    weights.push(weight * shareOf(candidate, options.slowStart, nowMs));
  }
  return chosen.length === 0
    ? undefined
    : { candidates: chosen, weights: Float64Array.from(weights) };
}

/** What locality makes of each candidate's weight; those that are not usable say how short a zone is. */
function localityFactors<C extends Candidate>(
  candidates: readonly C[],
  usable: ReadonlySet<C>,
  { isWeighted, isReady, isMissing }: PipelineInput<C>,
  locality: LocalityOptions,
): Map<C, number> {
  const members = candidates.map((candidate): LocalityMember => {
    // A candidate that is ready and not usable is ejected.
    const isAway = isReady(candidate) || isMissing(candidate);
    return {
      zone: candidate.zone,
      weight: isWeighted ? candidate.weight : 1,
      standing: usable.has(candidate) ? 'usable' : isAway ? 'missing' : 'untried',
    };
  });
  const factors = splitByLocality(members, locality);
  return new Map(candidates.map((candidate, place) => [candidate, factors[place] ?? 1]));
}

function shareOf(
  candidate: Candidate,
  slowStart: SlowStartOptions | undefined,
  nowMs: number,
): number {
  return slowStart === undefined ? 1 : slowStartShare(nowMs - candidate.joinedMs, slowStart);
}

function recomputeMs(
  candidates: readonly Candidate[],
  slowStart: SlowStartOptions | undefined,
  nowMs: number,
): number | undefined {
  if (slowStart === undefined) return undefined;
  const youngestMs = candidates.reduce(
    (age, { joinedMs }) => Math.min(age, nowMs - joinedMs),
    Infinity,
  );
  return nextSlowStartStepMs(youngestMs, slowStart);
}
