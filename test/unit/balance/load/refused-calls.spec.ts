import { expect, it } from 'vitest';
import { RefusedCalls } from '../../../../lib/balance/load/refused-calls.js';
import { seededRandom } from '../../../support/seeded-random.js';

it('refusals count until their time is over, in whatever order they came', () => {
  const refused = new RefusedCalls();
  for (const untilMs of [5_000, 1_000, 5_000, 3_000]) refused.add(untilMs);
  expect([0, 999, 1_000, 2_999, 3_000, 4_999, 5_000].map((nowMs) => refused.at(nowMs))).toEqual([
    4, 4, 3, 3, 2, 2, 0,
  ]);
});

it('random refusals end at the earliest when asked, and 50 ms later at most', () => {
  const random = seededRandom(11);
  const refused = new RefusedCalls();
  const ends: number[] = [];
  for (let nowMs = 0; nowMs < 20_000; nowMs += 7) {
    const untilMs = nowMs + random() * 3_000;
    refused.add(untilMs);
    ends.push(untilMs);
    const count = refused.at(nowMs);
    expect(count).toBeGreaterThanOrEqual(ends.filter((end) => end > nowMs).length);
    expect(count).toBeLessThanOrEqual(ends.filter((end) => end > nowMs - 50).length);
  }
  expect(refused.at(30_000)).toBe(0);
});
