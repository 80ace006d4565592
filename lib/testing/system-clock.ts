/** The real time, as a {@link Clock}. */
import type { Clock } from '../core/clock.js';

/** Monotonic milliseconds and timers that do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
