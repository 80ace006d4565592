/** The real clock: monotonic time and timers that do not keep the process alive. */
import type { Clock } from '../core/clock.js';

/** The longest delay of `setTimeout`, in milliseconds: 24.8 days. A longer delay would fire after 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** {@link Clock} on `performance.now()` and `setTimeout`. Delays beyond 24.8 days end after 24.8 days. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, LONGEST_DELAY_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
