import { expect, it } from 'vitest';
import { areEqual, relativeWeights } from '../../../lib/balance/pool.js';

it.each([
  [
    [2, 4, 6],
    [0.5, 1, 1.5],
  ],
  [
    [7, 7],
    [1, 1],
  ],
  [
    [1, 0, 3],
    [0.5, 1, 1.5],
  ],
  [
    [1, Number.NaN, -2, Infinity, 3],
    [0.5, 1, 1, 1, 1.5],
  ],
  [
    [0, 0],
    [1, 1],
  ],
  [
    [4, 0],
    [1, 1],
  ],
  [[], []],
])('the weights %j are %j relative to their mean', (weights, relative) => {
  expect([...relativeWeights(weights)]).toEqual(relative);
});

it('a weight that is too small to count still gets some calls', () => {
  expect(relativeWeights([Number.MIN_VALUE, 1e300])[0]).toBeGreaterThan(0);
});

it.each([
  [[1, 1, 1], true],
  [[1], true],
  [[1, 1, 1.0001], false],
  [[2, 1, 1], false],
])('the weights %j are equal: %s', (weights, equal) => {
  expect(areEqual(Float64Array.from(weights))).toBe(equal);
});
