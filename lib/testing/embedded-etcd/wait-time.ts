/** How long something waits, as a user may say it. */
import { DiscoveryError } from '../../core/discovery-error.js';

/** The longest wait of one timer, in milliseconds, 24.8 days: what `setTimeout` takes. It fires at once for more. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * A wait in milliseconds, at most {@link MAX_TIMER_MS}: longer ones, and infinite ones, become that.
 *
 * @param option names it in the error
 * @param minimumMs the least that is allowed
 * @throws DiscoveryError `INVALID_OPTION` for what is less, or no number
 */
export function requireWaitMs(option: string, waitMs: number, minimumMs = 0): number {
  if (typeof waitMs === 'number' && waitMs >= minimumMs) return Math.min(waitMs, MAX_TIMER_MS);
  const detail = `${option}: ${String(waitMs)}, allowed is a number of milliseconds from ${minimumMs}`;
  throw new DiscoveryError('INVALID_OPTION', detail);
}
