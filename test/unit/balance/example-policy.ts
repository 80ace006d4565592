import type { Random } from '../../../lib/core/clock.js';
import type { Candidate } from '../../../lib/balance/candidate.js';
import type { Picker } from '../../../lib/balance/picker.js';
import type { PolicyDefinition } from '../../../lib/balance/policy-definition.js';

/** The options of `least_of_many`, as its picker gets them. */
interface LeastOfManyOptions {
  readonly choices: number;
}

/** The least busy of several endpoints drawn at random. */
export const leastOfMany = {
  name: 'least_of_many',
  usesWeight: false,
  usesLoad: true,
  needsWholeList: false,
  connects: 'all',
  options: {
    /** `least_of_many`: how many endpoints each call compares, 2 to 10. Default 3. */
    choices: { kind: 'integer', minimum: 2, maximum: 10, default: 3 },
  },
  createPicker: ({ candidates }, { choices }, { random }) =>
    new LeastOfMany(candidates, choices, random),
} as const satisfies PolicyDefinition<LeastOfManyOptions>;

class LeastOfMany<C extends Candidate> implements Picker<C> {
  constructor(
    private readonly candidates: readonly C[],
    private readonly choices: number,
    private readonly random: Random,
  ) {}

  pick(): C {
    let least = this.draw();
    for (let choice = 1; choice < this.choices; choice++) {
      const other = this.draw();
      if (other.load.inFlight < least.load.inFlight) least = other;
    }
    return least;
  }

  private draw(): C {
    return this.candidates[Math.floor(this.random() * this.candidates.length)]!;
  }
}
