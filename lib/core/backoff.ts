/** Exponential backoff: the delay before the next attempt. */
import type { Random } from './clock.js';

/** The bounds of the delays of a backoff, all in milliseconds. */
export interface BackoffPolicy {
  /** The longest delay before the first retry. */
  readonly baseMs: number;
  /** The longest delay before any retry. */
  readonly capMs: number;
  /** The shortest delay before any retry: a small random number must not cause a hot loop. */
  readonly floorMs: number;
}

/** The longest delay in milliseconds before retry number `attempt` (0: the first retry). */
export function longestDelayMs(policy: BackoffPolicy, attempt: number): number {
  // The bound of 30 keeps the power finite; the delay reaches `capMs` at a much smaller `attempt`.
  return Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt, 30));
}

/**
 * The delay in milliseconds before retry number `attempt` (0: the first retry). It is exponential with full
 * jitter, so that clients that failed at the same moment do not retry at the same moment.
 * Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("Full Jitter").
 */
export function backoffDelayMs(policy: BackoffPolicy, attempt: number, random: Random): number {
  return Math.max(policy.floorMs, random() * longestDelayMs(policy, attempt));
}
