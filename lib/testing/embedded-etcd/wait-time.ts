/** Waiting times, as the options and faults of the embedded etcd take them. */
import { argumentReader } from '../../core/values/value-reader.js';
import { numberWithin } from '../../core/values/value-rule.js';

/** The longest wait of one timer, in milliseconds, 24.8 days: what `setTimeout` takes. It fires at once for more. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * A wait in milliseconds, at most {@link MAX_TIMER_MS}: longer ones, and infinite ones, become that.
 *
 * @param option its name, for the error
 * @param minimumMs the shortest wait that is allowed
 * @throws DiscoveryError `INVALID_OPTION` if it is less than the minimum, or no number
 */
export function requireWaitMs(option: string, waitMs: number, minimumMs = 0): number {
  const rule = numberWithin(minimumMs, Infinity, 'milliseconds');
  return Math.min(argumentReader.required(option, waitMs, rule), MAX_TIMER_MS);
}
