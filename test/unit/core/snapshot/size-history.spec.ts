import { describe, expect, it } from 'vitest';
import { SizeHistory } from '../../../../lib/core/snapshot/size-history.js';
import { seededRandom } from '../../../support/seeded-random.js';

const WINDOW_MS = 10_000;

describe('a size history', () => {
  it('compares the current size with the largest size within the window', () => {
    const sizes = new SizeHistory();
    sizes.record(10, 0, WINDOW_MS);
    sizes.record(4, 1_000, WINDOW_MS);
    sizes.record(6, 2_000, WINDOW_MS);
    expect([sizes.peak, sizes.lost]).toEqual([10, 4]);
  });

  it('forgets a size that ended before the window began', () => {
    const sizes = new SizeHistory();
    sizes.record(10, 0, WINDOW_MS);
    sizes.record(4, 1_000, WINDOW_MS);
    sizes.record(4, 11_000, WINDOW_MS);
    expect(sizes.peak).toBe(10);
    sizes.record(4, 11_001, WINDOW_MS);
    expect([sizes.peak, sizes.lost]).toEqual([4, 0]);
  });

  it('subtracts a discount from all sizes', () => {
    const sizes = new SizeHistory();
    sizes.record(10, 0, WINDOW_MS);
    sizes.discount(4);
    sizes.record(6, 1, WINDOW_MS);
    expect([sizes.peak, sizes.lost]).toEqual([6, 0]);
    sizes.record(5, 2, WINDOW_MS);
    expect([sizes.peak, sizes.lost]).toEqual([6, 1]);
  });

  it('has no peak and no loss before the first size', () => {
    const sizes = new SizeHistory();
    expect([sizes.peak, sizes.lost]).toEqual([0, 0]);
  });
});

it.each([1, 2, 3])('a size history agrees with a list of all sizes (seed %i)', (seed) => {
  const random = seededRandom(seed);
  const sizes = new SizeHistory();
  const all: { at: number; size: number }[] = [];
  let now = 0;
  for (let step = 0; step < 3_000; step++) {
    now += Math.floor(random() * 4_000);
    const size = Math.floor(random() * 20);
    if (all.at(-1)?.size !== size) all.push({ at: now, size });
    sizes.record(size, now, WINDOW_MS);
    // Each size counts until the next size is recorded.
    const recent = all.filter((_, index) => {
      const until = all[index + 1]?.at ?? now;
      return now - until <= WINDOW_MS;
    });
    expect(sizes.peak).toBe(Math.max(...recent.map((entry) => entry.size)));
    expect(sizes.lost).toBe(sizes.peak - size);
  }
});
