/** The state of a channel, which follows from the states of its connections. */
import { expect, it } from 'vitest';
import { aggregateState } from '../../../../lib/grpc/balancer/aggregate-state.js';

const LISTED = { hasEndpoints: true, note: 'the list' };
const FAILED = '[NO_ENDPOINTS] none of %n endpoints can be reached (the list); last: refused';

const wait = { calls: 'wait' };
const pick = { calls: 'pick' };
const fail = (details: string) => ({ calls: 'fail', details });
const unreachable = (count: number) => fail(FAILED.replace('%n', String(count)));

it.each([
  // Each `count` is the number of idle, connecting, ready and failed connections.
  { name: 'one endpoint is not tried yet', count: [1, 0, 0, 0], eager: 64, expected: wait },
  { name: 'one attempt is under way', count: [0, 1, 0, 0], eager: 64, expected: wait },
  { name: 'one connection is ready', count: [0, 0, 1, 0], eager: 64, expected: pick },
  { name: 'one of many is ready', count: [9, 9, 1, 64], eager: 64, expected: pick },
  { name: 'one endpoint failed', count: [0, 0, 0, 1], eager: 64, expected: unreachable(1) },
  { name: 'one of two failed, one is tried', count: [0, 1, 0, 1], eager: 64, expected: wait },
  { name: 'one of two failed, one is idle', count: [1, 0, 0, 1], eager: 64, expected: wait },
  {
    name: 'all of a small fleet failed',
    count: [0, 0, 0, 64],
    eager: 64,
    expected: unreachable(64),
  },
  { name: '63 of a large fleet failed', count: [37, 0, 0, 63], eager: 64, expected: wait },
  {
    name: '64 of a large fleet failed',
    count: [35, 1, 0, 64],
    eager: 64,
    expected: unreachable(100),
  },
] as const)(
  'if $name, the state of the channel is: calls $expected.calls',
  ({ count: counts, eager, expected }) => {
    const [idle, connecting, ready, failed] = counts;
    const count = { idle, connecting, ready, failed };
    expect(aggregateState({ count, lastError: 'refused', list: LISTED, eager })).toEqual(expected);
  },
);

it.each([
  {
    name: 'routing excludes every endpoint',
    list: LISTED,
    details: "[NO_ENDPOINTS] no endpoint matches the client's routing (the list)",
  },
  {
    name: 'the resolver says why the list is empty',
    list: { hasEndpoints: false, note: 'no server is registered' },
    details: 'no server is registered',
  },
  {
    name: 'the list is empty without a reason',
    list: { hasEndpoints: false, note: '' },
    details: '[NO_ENDPOINTS] the list of endpoints is empty',
  },
])('if there are no connections and $name, calls fail with "$details"', ({ list, details }) => {
  const count = { idle: 0, connecting: 0, ready: 0, failed: 0 };
  expect(aggregateState({ count, lastError: 'refused', list, eager: 64 })).toEqual(fail(details));
});

it('if all connections have failed without a reason, calls fail all the same', () => {
  const count = { idle: 0, connecting: 0, ready: 0, failed: 1 };
  const state = aggregateState({ count, lastError: undefined, list: LISTED, eager: 64 });
  expect(state).toEqual(
    fail(
      '[NO_ENDPOINTS] none of 1 endpoints can be reached (the list); last: no connection was tried yet',
    ),
  );
});
