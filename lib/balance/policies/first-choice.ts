import type { Candidate } from '../candidate.js';
import type { Picker, PickRequest } from '../picker.js';
import type { PolicyDefinition } from '../policy-definition.js';
import type { Pool } from '../pool.js';

/** All calls go to one endpoint while it lives. */
export const pickFirst = {
  name: 'pick_first',
  usesWeight: false,
  usesLoad: false,
  // On a part of the list, all clients would choose an endpoint of the first page, and stay with it.
  needsWholeList: true,
  connects: 'first',
  options: {},
  createPicker: (pool, _options, _context, previous) => new FirstChoice(pool, previous),
} as const satisfies PolicyDefinition;

/**
 * All calls go to one endpoint while it lives: to the endpoint that had them so far, else to the first of
 * those with the greatest weight.
 *
 * Source: gRPC's pick_first (grpc/doc/load-balancing.md); the balancer decides which endpoint is first. Each
 * weight is 1 times the factors of the modifiers. This picker does not divide calls by weight, it takes the
 * greatest: so the own zone comes before another zone, and an older endpoint before one that has just joined.
 */
export class FirstChoice<C extends Candidate> implements Picker<C> {
  private readonly chosen: C;
  private readonly pool: Pool<C>;

  /**
   * @param pool the candidates and their weights
   * @param previous the picker that this picker replaces
   */
  constructor(pool: Pool<C>, previous?: Picker<C>) {
    const { candidates, weights } = pool;
    this.pool = pool;
    const before =
      previous instanceof FirstChoice ? (previous as FirstChoice<C>).chosen : undefined;
    const stays = before !== undefined && candidates.includes(before);
    const most = weights.reduce((greatest, weight) => Math.max(greatest, weight), 0);
    this.chosen = stays ? before : candidates[weights.indexOf(most)]!;
  }

  pick(): C {
    return this.chosen;
  }

  /** Of the candidates to which the call may go, the first with the greatest weight. */
  pickOther(
    _request: PickRequest,
    _nowMs: number,
    isFree: (candidate: C) => boolean,
  ): C | undefined {
    const { candidates, weights } = this.pool;
    let most = 0;
    let other: C | undefined;
    for (const [place, candidate] of candidates.entries()) {
      const weight = weights[place]!;
      if (weight <= most || !isFree(candidate)) continue;
      most = weight;
      other = candidate;
    }
    return other;
  }
}
