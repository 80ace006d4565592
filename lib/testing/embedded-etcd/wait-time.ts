/** Checks the waiting times in the options and faults of the embedded etcd. */
import { argumentReader } from '../../core/values/value-reader.js';
import { numberWithin } from '../../core/values/value-rule.js';

/**
 * The longest delay that `setTimeout` takes, in milliseconds: 24.8 days. With a longer one it fires at once.
 */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Checks a wait in milliseconds. Returns it, or {@link MAX_TIMER_MS} if it is longer.
 *
 * @param option its name, for the error
 * @param minimumMs the shortest wait that is allowed
 * @throws DiscoveryError `INVALID_OPTION` if it is less than the minimum, or no number
 */
export function requireWaitMs(option: string, waitMs: number, minimumMs = 0): number {
  const rule = numberWithin(minimumMs, Infinity, 'milliseconds');
  return Math.min(argumentReader.required(option, waitMs, rule), MAX_TIMER_MS);
}
