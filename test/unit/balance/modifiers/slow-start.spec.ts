import { expect, it } from 'vitest';
import {
  nextSlowStartStepMs,
  slowStartShare,
} from '../../../../lib/balance/modifiers/slow-start.js';

it.each([
  [0, 1, 0.1],
  [-5, 1, 0.1],
  [500, 1, 0.1],
  [2_500, 1, 0.25],
  [2_500, 2, 0.5],
  [5_000, 0.5, 0.25],
  [9_999, 1, 0.9999],
  [10_000, 0.5, 1],
  [1e9, 1, 1],
])(
  'at %i ms of 10 s with aggression %f an endpoint has %f of its weight',
  (ageMs, aggression, share) => {
    expect(slowStartShare(ageMs, { windowMs: 10_000, aggression })).toBeCloseTo(share, 9);
  },
);

it('an endpoint begins with the given minimum of its weight', () => {
  expect(slowStartShare(0, { windowMs: 10_000, minWeight: 0.3 })).toBe(0.3);
});

it.each([
  [0, 500],
  [9_800, 200],
  [9_999, 1],
  [10_000, undefined],
])('after %i ms of 10 s the weights are computed again in %s ms', (ageMs, afterMs) => {
  expect(nextSlowStartStepMs(ageMs, { windowMs: 10_000 })).toBe(afterMs);
});

it('the weights are computed at most every 100 ms', () => {
  expect(nextSlowStartStepMs(0, { windowMs: 1_000 })).toBe(100);
});

it('an endpoint that joins has no more than minWeight of its weight, however small minWeight is', () => {
  const options = { windowMs: 10_000, minWeight: 0.00001 };
  expect(slowStartShare(0, options)).toBe(0.00001);
  expect(slowStartShare(-5, { ...options, aggression: 2 })).toBe(0.00001);
});
