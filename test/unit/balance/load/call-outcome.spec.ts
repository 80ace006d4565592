import { expect, it } from 'vitest';
import { callOutcome, refusalMs } from '../../../../lib/balance/load/call-outcome.js';
import { CallTally } from '../../../../lib/balance/load/call-tally.js';

it.each([
  ['success', [0, 3, 5, 6, 7, 9, 10, 11, 16]],
  ['abandoned', [1]],
  ['timeout', [4]],
  ['failure', [2, 8, 12, 13, 14, 15, 99]],
] as const)('a call has the outcome %s for its status codes', (outcome, codes) => {
  for (const code of codes) expect(callOutcome(code)).toBe(outcome);
});

it.each([
  'Received message larger than max (5 vs 4)',
  'grpc: received message after decompression larger than max 4',
  'trying to send message larger than max (5 vs. 4)',
  'gRPC message exceeds maximum size 4: 5',
])('an error about a size limit is no sign of load: %s', (details) => {
  expect(callOutcome(8, details)).toBe('abandoned');
  expect(callOutcome(13, details)).toBe('failure');
});

it.each(['the queue is longer than 100', 'more messages than allowed', ''])(
  'an error of an overloaded server is a failure: "%s"',
  (details) => {
    expect(callOutcome(8, details)).toBe('failure');
  },
);

it('a tally counts failures and timeouts as failures, ends a series of failures with a success, and skips abandoned calls', () => {
  const tally = new CallTally();
  tally.record('failure');
  tally.record('timeout');
  tally.record('abandoned');
  expect(tally).toMatchObject({ successes: 0, failures: 2, consecutiveFailures: 2 });
  tally.record('success');
  expect(tally).toMatchObject({ successes: 1, failures: 2, consecutiveFailures: 0 });
});

it.each([
  ['RESOURCE_EXHAUSTED without a pushback', 5_000, 8, undefined],
  ['RESOURCE_EXHAUSTED with a pushback of 1,200 ms', 1_200, 8, '1200'],
  ['UNAVAILABLE with a pushback of 250 ms', 250, 14, '250'],
  ['RESOURCE_EXHAUSTED with a pushback of 0', 0, 8, '0'],
  ['RESOURCE_EXHAUSTED with a longer pushback than is allowed', 300_000, 8, '2147483647'],
  ['UNAVAILABLE with a pushback that forbids a retry', 5_000, 14, '-1'],
  ['UNAVAILABLE with a pushback that cannot be read', 5_000, 14, 'soon'],
  ['UNAVAILABLE without a pushback, which is no refusal,', 0, 14, undefined],
  ['OK with a pushback, which is no refusal,', 0, 0, '1200'],
  ['ABORTED with a pushback, which is no refusal,', 0, 10, '1200'],
] as const)(
  'a server that answers %s wants no calls for %i ms',
  (_name, expectedMs, code, pushback) => {
    expect(refusalMs(code, pushback)).toBe(expectedMs);
  },
);
