import type { Random } from '../../lib/core/clock.js';

/**
 * A generator of uniform numbers in [0, 1): the same seed gives the same numbers.
 *
 * Source: mulberry32, Tommy Ettinger (public domain). 2³² states: enough for tests, not for more.
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
