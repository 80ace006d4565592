import { expect, it } from 'vitest';
import { callOutcome, refusalMs } from '../../../../lib/balance/load/call-outcome.js';
import { CallTally } from '../../../../lib/balance/load/call-tally.js';

it.each([
  ['success', [0, 3, 5, 6, 7, 9, 10, 11, 16]],
  ['abandoned', [1]],
  ['timeout', [4]],
  ['failure', [2, 8, 12, 13, 14, 15, 99]],
] as const)('a call counts as %s by its status code', (outcome, codes) => {
  for (const code of codes) expect(callOutcome(code)).toBe(outcome);
});

it.each([
  'Received message larger than max (5 vs 4)',
  'grpc: received message after decompression larger than max 4',
  'trying to send message larger than max (5 vs. 4)',
  'gRPC message exceeds maximum size 4: 5',
])('a size limit says nothing about load: %s', (details) => {
  expect(callOutcome(8, details)).toBe('abandoned');
  expect(callOutcome(13, details)).toBe('failure');
});

it.each(['the queue is longer than 100', 'more messages than allowed', ''])(
  'a server that is overloaded failed: "%s"',
  (details) => {
    expect(callOutcome(8, details)).toBe('failure');
  },
);

it('a tally counts failures and timeouts as failing, ends a streak with a success, and skips abandoned calls', () => {
  const tally = new CallTally();
  tally.record('failure');
  tally.record('timeout');
  tally.record('abandoned');
  expect(tally).toMatchObject({ successes: 0, failures: 2, consecutiveFailures: 2 });
  tally.record('success');
  expect(tally).toMatchObject({ successes: 1, failures: 2, consecutiveFailures: 0 });
});

it.each([
  ['RESOURCE_EXHAUSTED comes to 5 s', 8, undefined, 5_000],
  ['RESOURCE_EXHAUSTED with a pushback comes to that', 8, '1200', 1_200],
  ['UNAVAILABLE with a pushback comes to that', 14, '250', 250],
  ['a pushback of 0 comes to nothing', 8, '0', 0],
  ['300 s are the most', 8, '2147483647', 300_000],
  ['a pushback that forbids to try again gives no time', 14, '-1', 5_000],
  ['a pushback that cannot be read gives no time', 14, 'soon', 5_000],
  ['UNAVAILABLE alone refuses nothing', 14, undefined, 0],
  ['an answer refuses nothing', 0, '1200', 0],
  ['an answer that blames the caller refuses nothing', 10, '1200', 0],
] as const)('a refusal: %s', (_name, code, pushback, expectedMs) => {
  expect(refusalMs(code, pushback)).toBe(expectedMs);
});
