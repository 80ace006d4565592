import { describe, expect, it } from 'vitest';
import { ChangeFlood } from '../../../../lib/core/snapshot/change-flood.js';

/**
 * How many times `count` reports a flood if every `everyMs` milliseconds `together` changes arrive at once.
 */
function floods(everyMs: number, together = 1): number {
  const flood = new ChangeFlood();
  let found = 0;
  for (let now = 10_000; now < 20_000; now += everyMs) if (flood.count(together, now)) found++;
  return found;
}

describe('a flood of changes', () => {
  it('does not begin at 200 changes a second, however long they arrive', () => {
    expect(floods(5)).toBe(0);
    expect(floods(200, 40)).toBe(0);
  });

  it('is reported soon at 1,000 changes a second, and as long as they arrive', () => {
    const flood = new ChangeFlood();
    const found = Array.from({ length: 200 }, (_, ms) => flood.count(1, ms));
    expect(found.indexOf(true)).toBeLessThan(70);
    expect(found.slice(70).every(Boolean)).toBe(true);
  });

  it('begins with 51 changes at once, not with 50', () => {
    expect(new ChangeFlood().count(50, 1_000)).toBe(false);
    expect(new ChangeFlood().count(51, 1_000)).toBe(true);
  });

  it('ends 300 ms after its last change, for any number of changes', () => {
    const flood = new ChangeFlood();
    expect(flood.count(100_000, 1_000)).toBe(true);
    expect(flood.count(1, 1_300)).toBe(false);
  });

  it('continues if all changes of a pause arrive at once', () => {
    expect(floods(200, 200)).toBe(50);
  });
});
