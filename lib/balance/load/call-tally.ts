import type { CallOutcome } from './call-outcome.js';

/**
 * Counts how the calls of one endpoint ended. The totals only grow, so each reader can remember the values
 * that it saw last (`stepOutliers` does), and no reset is needed.
 */
export class CallTally {
  /** Calls that the endpoint answered, since it is known. */
  successes = 0;
  /** Calls to the endpoint that failed or timed out, since it is known. */
  failures = 0;
  /** Failures of the endpoint since its last success. */
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
