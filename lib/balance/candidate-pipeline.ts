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

/** The modifiers that a client uses; each may be left out. */
export interface PipelineOptions {
  readonly routing?: RoutingOptions;
  readonly locality?: LocalityOptions;
  readonly slowStart?: SlowStartOptions;
}

/** What the balancer knows about its endpoints at one moment. */
export interface PipelineInput<C extends Candidate> {
  /** All endpoints of the list, or of the subset if there is one, connected or not. */
  readonly candidates: readonly C[];
  /** Whether a candidate's connection is ready. */
  readonly isReady: (candidate: C) => boolean;
  /** Whether a candidate is known not to serve; one that is neither missing nor ready was not tried yet. */
  readonly isMissing: (candidate: C) => boolean;
  /** Whether outlier detection has ejected a candidate. */
  readonly isEjected: (candidate: C) => boolean;
  /**
   * Whether the policy picks by the weights in the records; otherwise each candidate weighs 1 before the
   * modifiers.
   */
  readonly isWeighted: boolean;
}

/** The candidates from which a policy may choose. */
export interface PipelineResult<C extends Candidate> {
  /** The candidates for ordinary calls; `undefined` if no candidate can take them. */
  readonly stable: Pool<C> | undefined;
  /** The candidates for calls that the canary rule selects; `undefined` without such a rule or canaries. */
  readonly canary: Pool<C> | undefined;
  /** In how many milliseconds the pipeline must run again at the latest; `undefined`: at the next change. */
  readonly recomputeMs: number | undefined;
}

/**
 * Applies the modifiers, each to the result of the one before:
 *
 * 1. **routing** keeps the endpoints that may be called at all, and sets the canaries apart;
 * 2. **readiness** and **outlier ejection** keep the endpoints that can be called. If all ready endpoints are
 *    ejected, they are used after all: a call that may fail is better than a call that certainly fails;
 * 3. **locality** compares the result with all endpoints that step 1 kept, and moves weight to other zones as
 *    far as the own zone is short of capacity; an endpoint that was not tried yet is not missing;
 * 4. **slow start** takes weight from endpoints that have just joined.
 *
 * If only canaries are left, they take all calls; if there are no canaries, the others take all calls. The
 * subset is chosen before all of this (`pickSubset`), because it decides to which endpoints the client
 * connects.
 *
 * O(n). The result is a list with a weight for each entry, so every policy combines with every modifier.
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
  // This runs over all connections when one of them changes: it allocates nothing for connections that are
  // not ready.
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

/**
 * The factor by which locality multiplies each candidate's weight. Candidates that are not usable count too:
 * they show how short of capacity a zone is.
 */
function localityFactors<C extends Candidate>(
  candidates: readonly C[],
  usable: ReadonlySet<C>,
  { isWeighted, isReady, isMissing }: PipelineInput<C>,
  locality: LocalityOptions,
): Map<C, number> {
  const members = candidates.map((candidate): LocalityMember => {
    // A candidate that is ready and not usable was ejected.
    const isAway = isReady(candidate) || isMissing(candidate);
    return {
      zone: candidate.zone,
      weight: isWeighted ? candidate.weight : 1,
      standing: usable.has(candidate) ? 'usable' : isAway ? 'missing' : 'untried',
    };
  });
  const factors = splitByLocality(members, locality);
  return new Map(candidates.map((candidate, place) => [candidate, factors[place]!]));
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
