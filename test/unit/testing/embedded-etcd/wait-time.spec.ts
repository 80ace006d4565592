import { expect, it } from 'vitest';
import { MAX_TIMER_MS, requireWaitMs } from '../../../../lib/testing/embedded-etcd/wait-time.js';

it.each([
  [0, 0],
  [1.5, 1.5],
  [MAX_TIMER_MS, MAX_TIMER_MS],
  [MAX_TIMER_MS + 1, MAX_TIMER_MS],
  [Infinity, MAX_TIMER_MS],
])('a wait of %d ms becomes one of %d ms', (given, waitMs) => {
  expect(requireWaitMs('delayMs', given)).toBe(waitMs);
});

it.each([
  [-1, '-1'],
  [Number.NaN, 'NaN'],
  ['5', '"5"'],
  [undefined, 'undefined'],
])('the wait %o is refused', (given, shown) => {
  expect(() => requireWaitMs('delayMs', given as number)).toThrow(
    `[INVALID_OPTION] delayMs is ${shown}; allowed: a number of milliseconds, 0 or more`,
  );
});

it('a wait below its minimum is refused', () => {
  expect(() => requireWaitMs('intervalMs', 0, 1)).toThrow(
    'allowed: a number of milliseconds, 1 or more',
  );
  expect(requireWaitMs('intervalMs', 1, 1)).toBe(1);
});
