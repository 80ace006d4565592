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
  ['RESOURCE_EXHAUSTED alone lasts 5 s', 8, undefined, 5_000],
  ['RESOURCE_EXHAUSTED lasts as long as its pushback', 8, '1200', 1_200],
  ['UNAVAILABLE lasts as long as its pushback', 14, '250', 250],
  ['a pushback of 0 lasts no time', 8, '0', 0],
  ['a refusal lasts at most 300 s', 8, '2147483647', 300_000],
  ['a pushback that forbids a retry gives no time: 5 s', 14, '-1', 5_000],
  ['a pushback that cannot be read gives no time: 5 s', 14, 'soon', 5_000],
  ['UNAVAILABLE alone is no refusal', 14, undefined, 0],
  ['an answer is no refusal', 0, '1200', 0],
  ['an answer that blames the caller is no refusal', 10, '1200', 0],
] as const)('the time of a refusal: %s', (_name, code, pushback, expectedMs) => {
  expect(refusalMs(code, pushback)).toBe(expectedMs);
});
