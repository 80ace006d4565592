import { expect, it } from 'vitest';
import { callOutcome } from '../../../lib/balance/call-outcome.js';
import { CallTally } from '../../../lib/balance/call-tally.js';

it.each([
  ['success', [0, 3, 5, 6, 7, 9, 10, 11, 16]],
  ['abandoned', [1]],
  ['timeout', [4]],
  ['failure', [2, 8, 12, 13, 14, 15, 99]],
] as const)('status codes that mean %s', (outcome, codes) => {
  for (const code of codes) expect(callOutcome(code)).toBe(outcome);
});

it('a tally counts failures and timeouts as failing, ends a streak with a success, and skips abandoned calls', () => {
  const tally = new CallTally();
  tally.record('failure');
  tally.record('timeout');
  tally.record('abandoned');
  expect(tally).toMatchObject({ successes: 0, failures: 2, consecutiveFailures: 2 });
  tally.record('success');
  expect(tally).toMatchObject({ successes: 1, failures: 2, consecutiveFailures: 0 });
});
