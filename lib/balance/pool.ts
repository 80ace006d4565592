import type { Candidate } from './candidate.js';

/** The candidates among which one picker chooses. Never empty. */
export interface Pool<C extends Candidate> {
  /** The candidates, in the order of the endpoint list. */
  readonly candidates: readonly C[];
  /**
   * The weight of each candidate, with all modifiers: as long as `candidates`, finite, above 0, on any scale.
   */
  readonly weights: Float64Array;
}

/**
 * Weights relative to their mean, so that 1 is average. A weight that is not a finite number above 0 counts
 * as the mean of the others, as in gRFC A58 (weighted_round_robin); if all weights are such, all are equal.
 *
 * @returns an array of the same length, every value above 0
 */
export function relativeWeights(weights: ArrayLike<number>): Float64Array {
  const result = new Float64Array(weights.length);
  let sum = 0;
  let usable = 0;
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index]!;
    if (!(weight > 0 && weight < Infinity)) continue;
    result[index] = weight;
    sum += weight;
    usable++;
  }
  const mean = usable > 0 ? sum / usable : 1;
  for (let index = 0; index < result.length; index++) {
    // A weight so small that its quotient is 0 still gets some calls, however rarely.
    result[index] = result[index] === 0 ? 1 : Math.max(result[index]! / mean, Number.EPSILON);
  }
  return result;
}

/** Whether all weights are the same: then cheaper, exact methods are possible. */
export function areEqual(weights: Float64Array): boolean {
  for (let index = 1; index < weights.length; index++) {
    if (weights[index] !== weights[0]) return false;
  }
  return true;
}
