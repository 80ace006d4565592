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

it('random refusals end no earlier than the server asked for, and at most 50 ms later', () => {
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

it('a refusal ends at the next multiple of 50 ms', () => {
  for (const untilMs of [51, 75, 100]) {
    const refused = new RefusedCalls();
    refused.add(untilMs);
    expect([99, 100].map((nowMs) => refused.at(nowMs))).toEqual([1, 0]);
  }
});

it('refusals that end within the same 50 ms share one entry, so time bounds their memory', () => {
  const refused = new RefusedCalls();
  for (let call = 0; call < 1_000; call++) {
    refused.add(5_001 + (call % 50));
    refused.add(9_001 + (call % 50));
  }
  expect(Reflect.get(refused, 'ends')).toEqual([5_050, 9_050]);
  expect([refused.at(5_049), refused.at(5_050), refused.at(9_050)]).toEqual([2_000, 1_000, 0]);
  expect(Reflect.get(refused, 'ends')).toEqual([]);
});
