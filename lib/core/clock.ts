/** Ports for time and randomness. The pure rooms and the machine runners take them, so that tests control both. */

/** A source of random numbers in [0, 1), uniform. `Math.random` fits. */
export type Random = () => number;

/** Stops a timer that a {@link Clock} started. Does nothing if the timer has fired or was stopped. */
export type CancelTimer = () => void;

/** Time as the library sees it. */
export interface Clock {
  /** Milliseconds on a monotonic scale; only differences between two values have a meaning. */
  now(): number;
  /**
   * Calls `callback` once, `delayMs` milliseconds (0 or more) from now. The timer does not keep the process alive.
   */
  setTimer(delayMs: number, callback: () => void): CancelTimer;
}
