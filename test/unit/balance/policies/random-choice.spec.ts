import { expect, it } from 'vitest';
import { RandomChoice } from '../../../../lib/balance/policies/random-choice.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { candidates, countPicks, poolOf } from '../fixtures.js';

it.each([
  [[1, 1, 1, 1]],
  [[1, 2, 3, 4]],
  [[0.001, 1, 1, 98]],
  [[7, 7, 0.5, 100, 3, 3, 3, 20, 1, 0.1]],
])(
  'the picker draws each candidate in proportion to its weight of %j, within 4 standard deviations',
  (weights) => {
    const list = candidates(weights.length);
    const picks = 200_000;
    const counts = countPicks(new RandomChoice(poolOf(list, weights), seededRandom(1)), picks);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const [at, weight] of weights.entries()) {
      const share = weight / sum;
      const deviation = Math.sqrt(picks * share * (1 - share));
      const count = counts.get(list[at]!.endpoint.address) ?? 0;
      expect(Math.abs(count - picks * share)).toBeLessThan(4 * deviation);
    }
  },
);
