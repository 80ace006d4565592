/** Ports for time and randomness: the pure rooms and every machine runner take these, so that tests own both. */

/** A source of random numbers in [0, 1), uniform. `Math.random` fits. */
export type Random = () => number;

/** Stops a timer that a {@link Clock} started. Harmless once it has fired or was stopped. */
export type CancelTimer = () => void;

/** Time as the library sees it. */
export interface Clock {
  /** Milliseconds on a monotonic scale: only differences mean anything. */
  now(): number;
  /**
   * Calls `callback` once, `delayMs` milliseconds (0 or more) from now. The timer does not keep the process alive.
   */
  setTimer(delayMs: number, callback: () => void): CancelTimer;
}
