/** A clock that a test moves by hand. */
import type { CancelTimer, Clock } from '../core/clock.js';

interface FakeTimer {
  readonly atMs: number;
  readonly callback: () => void;
}

/**
 * A {@link Clock} that stands still until {@link FakeClock.advance} moves it. Timers fire within `advance`,
 * in the order of their times; timers of the same time fire in the order in which they were set. Each
 * callback sees the time of its timer.
 */
export class FakeClock implements Clock {
  private timeMs: number;
  private timers: FakeTimer[] = [];

  /** @param startMs the initial time, in milliseconds. Default 0 */
  constructor(startMs = 0) {
    this.timeMs = startMs;
  }

  /** How many timers wait. */
  get pendingTimers(): number {
    return this.timers.length;
  }

  /** In how many milliseconds the next timer fires, `undefined` if none waits. */
  get nextTimerMs(): number | undefined {
    const next = this.timers[0];
    return next === undefined ? undefined : next.atMs - this.timeMs;
  }

  now(): number {
    return this.timeMs;
  }

  setTimer(delayMs: number, callback: () => void): CancelTimer {
    const timer: FakeTimer = { atMs: this.timeMs + Math.max(0, delayMs), callback };
    const later = this.timers.findIndex((other) => other.atMs > timer.atMs);
    this.timers.splice(later === -1 ? this.timers.length : later, 0, timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /**
   * Moves on by `byMs` milliseconds (0 or more) and fires every timer on the way, also those that callbacks
   * set.
   */
  advance(byMs: number): void {
    const untilMs = this.timeMs + byMs;
    for (;;) {
      const next = this.timers[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.timers.shift();
      this.timeMs = next.atMs;
      next.callback();
    }
    this.timeMs = untilMs;
  }
}
