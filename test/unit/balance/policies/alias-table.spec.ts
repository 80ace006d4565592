import { expect, it } from 'vitest';
import { AliasTable } from '../../../../lib/balance/policies/alias-table.js';
import { relativeWeights } from '../../../../lib/balance/pool.js';
import { seededRandom } from '../../../support/seeded-random.js';

it('the table has exactly the probabilities of the weights, on a fine grid of random numbers', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const size = 2 + Math.floor(random() * 20);
    const weights = relativeWeights(Array.from({ length: size }, () => random() ** 2 + 0.001));
    const table = new AliasTable(weights);
    const grid = 100_000;
    const counts = new Float64Array(size);
    for (let step = 0; step < grid; step++) counts[table.draw((step + 0.5) / grid)]!++;
    // The count of a column may be off by one step of the grid at each of its two edges.
    for (const [place, weight] of weights.entries()) {
      expect(Math.abs(counts[place]! - (grid * weight) / size)).toBeLessThanOrEqual(2 * size);
    }
  }
});

it('the table draws places of equal weight equally often', () => {
  const table = new AliasTable(relativeWeights([5, 5, 5, 5]));
  expect([0, 0.25, 0.5, 0.999].map((random) => table.draw(random))).toEqual([0, 1, 2, 3]);
});

it('a column begins with its own place, and ends with the place whose excess it takes', () => {
  const table = new AliasTable(Float64Array.of(0.5, 1.5));
  expect([0, 0.2499, 0.25, 0.4999, 0.5, 0.9999].map((random) => table.draw(random))).toEqual([
    0, 0, 1, 1, 1, 1,
  ]);
});
