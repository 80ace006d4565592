import { describe, expect, it } from 'vitest';
import { backoffDelayMs, type BackoffPolicy } from '../../../lib/core/backoff.js';
import { seededRandom } from '../../support/seeded-random.js';

const POLICY: BackoffPolicy = { baseMs: 100, capMs: 1_000, floorMs: 10 };

describe('backoffDelayMs', () => {
  it.each([
    [0, 100],
    [1, 200],
    [2, 400],
    [3, 800],
    [4, 1_000],
    [5, 1_000],
    [1_000_000, 1_000],
    [Number.MAX_SAFE_INTEGER, 1_000],
  ])('before attempt %i the delay is at most %i ms', (attempt, ceiling) => {
    expect(backoffDelayMs(POLICY, attempt, () => 1)).toBe(ceiling);
    expect(backoffDelayMs(POLICY, attempt, () => 0.5)).toBe(ceiling / 2);
  });

  it('never returns a delay below the floor, so that a small random number makes no hot loop', () => {
    expect(backoffDelayMs(POLICY, 0, () => 0)).toBe(10);
    expect(backoffDelayMs(POLICY, 50, () => 0)).toBe(10);
  });

  it('spreads the delays evenly from the floor to the ceiling (full jitter)', () => {
    const random = seededRandom(6);
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 10_000; draw++) {
      const delayMs = backoffDelayMs(POLICY, 10, random);
      const tenth = Math.floor(delayMs / 100);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    // The count of each tenth is Binomial(10,000, 0.1): 1,000 ± 30; ε is four of these.
    for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(120);
  });

  it('returns a delay between floor and cap before every attempt', () => {
    const random = seededRandom(7);
    for (let attempt = 0; attempt < 2_000; attempt++) {
      const delayMs = backoffDelayMs(POLICY, attempt, random);
      expect(delayMs).toBeGreaterThanOrEqual(POLICY.floorMs);
      expect(delayMs).toBeLessThanOrEqual(POLICY.capMs);
    }
  });
});
