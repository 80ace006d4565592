/** Exponential backoff: the delay before the next attempt. */
import type { Random } from './clock.js';

/** The bounds of a backoff, all in milliseconds. */
export interface BackoffPolicy {
  /** Upper bound of the first delay. */
  readonly baseMs: number;
  /** Upper bound of every delay. */
  readonly capMs: number;
  /** Lower bound of every delay, so that a lucky draw makes no hot loop. */
  readonly floorMs: number;
}

/** The longest delay in milliseconds before retry number `attempt` (0 for the first one). */
export function longestDelayMs(policy: BackoffPolicy, attempt: number): number {
  // The bound keeps the power finite; the cap is reached long before.
  return Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt, 30));
}

/**
 * The delay in milliseconds before retry number `attempt` (0 for the first one): exponential with full jitter, so that
 * clients that failed at the same moment do not retry at the same moment.
 * Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("Full Jitter").
 */
export function backoffDelayMs(policy: BackoffPolicy, attempt: number, random: Random): number {
  return Math.max(policy.floorMs, random() * longestDelayMs(policy, attempt));
}
