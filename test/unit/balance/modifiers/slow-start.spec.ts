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

it('the weight begins at the given minimum', () => {
  expect(slowStartShare(0, { windowMs: 10_000, minWeight: 0.3 })).toBe(0.3);
});

it.each([
  [0, 500],
  [9_800, 200],
  [10_000, undefined],
])('at %i ms of 10 s the next step comes after %s ms', (ageMs, afterMs) => {
  expect(nextSlowStartStepMs(ageMs, { windowMs: 10_000 })).toBe(afterMs);
});

it('the steps of a ramp are 100 ms apart at least', () => {
  expect(nextSlowStartStepMs(0, { windowMs: 1_000 })).toBe(100);
});
