import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../../lib/registry/system-clock.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('the system clock calls back after the delay, unless the timer is cancelled', () => {
  const [kept, cancelled] = [vi.fn(), vi.fn()];
  systemClock.setTimer(100, kept);
  systemClock.setTimer(100, cancelled)();
  vi.advanceTimersByTime(99);
  expect(kept).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(kept).toHaveBeenCalledOnce();
  expect(cancelled).not.toHaveBeenCalled();
});

it.each([2 ** 31, 8.64e15, Infinity])(
  'a delay of %d ms, more than Node can wait, becomes the longest possible delay',
  (delayMs) => {
    const callback = vi.fn();
    systemClock.setTimer(delayMs, callback);
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledOnce();
  },
);

it('a timer of the system clock does not keep the process alive', () => {
  const set = vi.spyOn(globalThis, 'setTimeout');
  const cancel = systemClock.setTimer(100, () => {});
  const timer = set.mock.results[0]?.value as NodeJS.Timeout;
  expect(timer.hasRef()).toBe(false);
  cancel();
  set.mockRestore();
});

it('the time of the system clock is monotonic, in milliseconds', () => {
  const before = systemClock.now();
  vi.advanceTimersByTime(1_500);
  expect(systemClock.now() - before).toBeCloseTo(1_500, 6);
});
