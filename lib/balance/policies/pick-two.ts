import type { Random } from '../../core/clock.js';
import { AliasTable } from './alias-table.js';
import type { Candidate } from '../candidate.js';
import type { EndpointLoad } from '../load/endpoint-load.js';
import type { Picker, PickRequest } from '../picker.js';
import { relativeWeights, type Pool } from '../pool.js';

/**
 * What a call to an endpoint costs now: finite, 0 or more, comparable within one pool.
 *
 * @param load the load of the endpoint
 * @param weight the endpoint's weight relative to the mean of the pool, above 0
 * @param nowMs monotonic milliseconds
 */
export type LoadFunction = (load: EndpointLoad, weight: number, nowMs: number) => number;

/**
 * The power of two choices: draws two different candidates and takes the one with less load.
 *
 * Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001): the fullest of n
 * is at ln ln n / ln 2 + O(1) above the mean, where one choice gives ln n / ln ln n. Two clients with the
 * same stale statistics do not choose the same server. They would choose the same server if each took the
 * least loaded of all.
 *
 * Both candidates are drawn in proportion to the weights, and a tie goes to the first: so idle candidates
 * share calls by weight as well, although their loads are all alike.
 */
export class PickTwo<C extends Candidate> implements Picker<C> {
  private readonly candidates: readonly C[];
  private readonly loads: readonly EndpointLoad[];
  private readonly weights: Float64Array;
  private readonly table: AliasTable;

  /**
   * @param pool the candidates and their weights
   * @param load the load to compare
   * @param random draws two numbers per pick, and a third in the rare case that both draws agree
   */
  constructor(
    pool: Pool<C>,
    private readonly load: LoadFunction,
    private readonly random: Random,
  ) {
    this.candidates = pool.candidates;
    this.loads = pool.candidates.map(({ load }) => load);
    this.weights = relativeWeights(pool.weights);
    this.table = new AliasTable(this.weights);
  }

  pick(_request: PickRequest, nowMs: number): C {
    const { candidates } = this;
    if (candidates.length === 1) return candidates[0]!;
    const first = this.table.draw(this.random());
    let second = this.table.draw(this.random());
    if (second === first)
      second =
        (first + 1 + Math.floor(this.random() * (candidates.length - 1))) % candidates.length;
    const one = this.load(this.loads[first]!, this.weights[first]!, nowMs);
    const other = this.load(this.loads[second]!, this.weights[second]!, nowMs);
    return candidates[other < one ? second : first]!;
  }

  /** The least loaded candidate to which the call may go; `pick` might never choose it. */
  pickOther(
    _request: PickRequest,
    nowMs: number,
    isFree: (candidate: C) => boolean,
  ): C | undefined {
    let least = Infinity;
    let chosen: C | undefined;
    for (const [place, candidate] of this.candidates.entries()) {
      if (!isFree(candidate)) continue;
      const load = this.load(this.loads[place]!, this.weights[place]!, nowMs);
      if (load >= least) continue;
      least = load;
      chosen = candidate;
    }
    return chosen;
  }
}
