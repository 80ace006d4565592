import type { Candidate } from '../candidate.js';
import type { Picker, PickRequest } from '../picker.js';
import type { PolicyDefinition } from '../policy-definition.js';
import type { Pool } from '../pool.js';

/** All calls to one endpoint while it lives. */
export const pickFirst = {
  name: 'pick_first',
  usesWeight: false,
  usesLoad: false,
  // It would stay with an endpoint of the first page, and so would every other client.
  needsWholeList: true,
  connects: 'first',
  options: {},
  createPicker: (pool, _options, _context, previous) => new FirstChoice(pool, previous),
} as const satisfies PolicyDefinition;

/**
 * All calls to one endpoint while it lives: the one that had them so far, else the first of those that weigh most.
 *
 * Source: gRPC's pick_first (grpc/doc/load-balancing.md); the balancer decides which endpoint is first. Each weight is
 * 1 times what the modifiers make of it. This picker does not divide calls, it takes the greatest weight: the own zone before another
 * zone, and an older endpoint before one that has just joined.
 */
export class FirstChoice<C extends Candidate> implements Picker<C> {
  private readonly chosen: C;
  private readonly pool: Pool<C>;

  /**
   * @param pool the candidates and their weights
   * @param previous the picker this one replaces
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

  /** The first of those that weigh most. */
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
