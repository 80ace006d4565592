/** The real clock: monotonic time and timers that do not keep the process alive. */
import type { Clock } from '../core/clock.js';

/** {@link Clock} on `performance.now()` and `setTimeout`. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
