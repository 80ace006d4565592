import { expect, it } from 'vitest';
import { MAX_TIMER_MS, requireWaitMs } from '../../../../lib/testing/embedded-etcd/wait-time.js';

it.each([
  [0, 0],
  [1.5, 1.5],
  [MAX_TIMER_MS, MAX_TIMER_MS],
  [MAX_TIMER_MS + 1, MAX_TIMER_MS],
  [Infinity, MAX_TIMER_MS],
])('a wait of %d ms is one of %d ms', (given, waitMs) => {
  expect(requireWaitMs('delayMs', given)).toBe(waitMs);
});

it.each([-1, Number.NaN, '5', undefined])('%s is refused', (given) => {
  expect(() => requireWaitMs('delayMs', given as number)).toThrow(
    `[INVALID_OPTION] delayMs: ${given}, allowed is a number of milliseconds from 0`,
  );
});

it('so is what is less than its least', () => {
  expect(() => requireWaitMs('intervalMs', 0, 1)).toThrow('from 1');
  expect(requireWaitMs('intervalMs', 1, 1)).toBe(1);
});
