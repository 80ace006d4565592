import type { CallOutcome } from './call-outcome.js';

/**
 * How the calls of one endpoint ended. The totals only grow, so that a reader can keep its own marks
 * (`stepOutliers` does) and no reset is needed.
 */
export class CallTally {
  /** Calls the endpoint answered, since it is known. */
  successes = 0;
  /** Calls that failed or timed out, since it is known. */
  failures = 0;
  /** Failures since the last success. */
  consecutiveFailures = 0;

  /** Counts one finished call. An abandoned call is not counted. */
  record(outcome: CallOutcome): void {
    if (outcome === 'success') {
      this.successes++;
      this.consecutiveFailures = 0;
    } else if (outcome !== 'abandoned') {
      this.failures++;
      this.consecutiveFailures++;
    }
  }
}
