/** How long to wait before the next attempt. */
import type { Random } from './clock.js';

/** The bounds of a backoff, all in milliseconds. */
export interface BackoffPolicy {
  /** Upper bound of the first delay. */
  readonly baseMs: number;
  /** Upper bound of every delay. */
  readonly capMs: number;
  /** Lower bound of every delay, so that luck cannot make a hot loop. */
  readonly floorMs: number;
}

/**
 * The delay in milliseconds before attempt number `attempt` (0 for the first retry): exponential with full jitter, so
 * that clients which failed together do not come back together.
 * Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("Full Jitter").
 */
export function backoffDelayMs(policy: BackoffPolicy, attempt: number, random: Random): number {
  // Above 2^30 the cap has long been reached; the bound keeps the power finite.
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt, 30));
  return Math.max(policy.floorMs, random() * ceiling);
}
