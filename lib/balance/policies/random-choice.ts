import type { Random } from '../../core/clock.js';
import { AliasTable } from './alias-table.js';
import type { Candidate } from '../candidate.js';
import type { Picker } from '../picker.js';
import type { PolicyDefinition } from '../policy-definition.js';
import { relativeWeights, type Pool } from '../pool.js';

/** Any endpoint, drawn at random. */
export const randomChoice = {
  name: 'random',
  usesWeight: false,
  usesLoad: false,
  needsWholeList: false,
  connects: 'all',
  options: {},
  createPicker: (pool, _options, context) => new RandomChoice(pool, context.random),
} as const satisfies PolicyDefinition;

/**
 * Each call goes to a candidate drawn at random, in proportion to the pool's weights.
 *
 * If there are far more clients than calls per client, no policy spreads calls more evenly. Of m calls over n
 * candidates, the candidate with the most calls gets about m/n + √(2 (m/n) ln n).
 */
export class RandomChoice<C extends Candidate> implements Picker<C> {
  private readonly candidates: readonly C[];
  private readonly table: AliasTable;

  constructor(
    pool: Pool<C>,
    private readonly random: Random,
  ) {
    this.candidates = pool.candidates;
    this.table = new AliasTable(relativeWeights(pool.weights));
  }

  pick(): C {
    return this.candidates[this.table.draw(this.random())]!;
  }
}
