/** Ports for time and randomness. The pure rooms and the machine runners take them: tests control both. */

/** A source of random numbers in [0, 1), uniformly distributed. `Math.random` fits. */
export type Random = () => number;

/** Stops a timer that a {@link Clock} started. Does nothing if that timer has fired or was stopped. */
export type CancelTimer = () => void;

/** The library's source of time and timers; tests pass a clock that they control. */
export interface Clock {
  /** The current time in milliseconds on a monotonic scale: only differences of two values mean something. */
  now(): number;
  /** Calls `callback` once, in `delayMs` milliseconds (0 or more). The timer keeps no process alive. */
  setTimer(delayMs: number, callback: () => void): CancelTimer;
}
