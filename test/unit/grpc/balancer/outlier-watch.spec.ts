import { beforeEach, expect, it } from 'vitest';
import { CallTally } from '../../../../lib/balance/load/call-tally.js';
import type { OutlierOptions } from '../../../../lib/balance/modifiers/outlier-detection.js';
import { OutlierWatch } from '../../../../lib/grpc/balancer/outlier-watch.js';
import type { EndpointConnection } from '../../../../lib/grpc/connection/endpoint-connection.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

let clock: FakeClock;
let tallies: CallTally[];
let unusable: Set<CallTally>;
let changes: number;

beforeEach(() => {
  clock = new FakeClock(1_000_000);
  tallies = Array.from({ length: 4 }, () => new CallTally());
  unusable = new Set();
  changes = 0;
});

function watchWith(options: OutlierOptions = {}): OutlierWatch {
  return new OutlierWatch(
    options,
    clock,
    () => tallies.map((tally) => ({ load: { tally } }) as EndpointConnection),
    ({ load }) => !unusable.has(load.tally),
    () => changes++,
  );
}

/** The places of the ejected endpoints. */
const ejected = (watch: OutlierWatch) =>
  [...tallies.keys()].filter((at) => watch.isEjected(tallies[at]!));

function fail(watch: OutlierWatch, at: number, times = 5): void {
  for (let call = 0; call < times; call++) {
    tallies[at]!.record('failure');
    watch.onFailure(tallies[at]!);
  }
}

it('an endpoint is ejected with its fifth failure in a row, and the change is reported', () => {
  const watch = watchWith();
  fail(watch, 0, 4);
  expect([ejected(watch), changes]).toEqual([[], 0]);
  fail(watch, 0, 1);
  expect([ejected(watch), changes]).toEqual([[0], 1]);
});

it('the return of an endpoint is reported, to the millisecond', () => {
  const watch = watchWith({ baseEjectionMs: 2_345 });
  fail(watch, 0);
  clock.advance(2_344);
  expect([ejected(watch), changes]).toEqual([[0], 1]);
  clock.advance(1);
  expect([ejected(watch), changes]).toEqual([[], 2]);
});

it('a judgement that changes nothing is not reported', () => {
  watchWith();
  clock.advance(60_000);
  expect(changes).toBe(0);
});

it('all endpoints are judged at the interval, with one timer', () => {
  const watch = watchWith({ intervalMs: 700, consecutiveFailures: 1_000 });
  for (let call = 0; call < 20; call++) {
    for (const tally of tallies) tally.record(tally === tallies[1] ? 'failure' : 'success');
  }
  clock.advance(699);
  expect(ejected(watch)).toEqual([]);
  clock.advance(1);
  expect(ejected(watch)).toEqual([1]);
  expect(clock.pendingTimers).toBe(1);
});

it('a failure within 50 ms of the last judgement waits for the rest of them', () => {
  const watch = watchWith();
  fail(watch, 0);
  clock.advance(20);
  fail(watch, 1);
  expect(ejected(watch)).toEqual([0]);
  clock.advance(29);
  expect(ejected(watch)).toEqual([0]);
  clock.advance(1);
  expect(ejected(watch)).toEqual([0, 1]);
  expect(clock.pendingTimers).toBe(1);
});

it('a failure after 50 ms is judged at once', () => {
  const watch = watchWith();
  fail(watch, 0);
  clock.advance(50);
  fail(watch, 1);
  expect(ejected(watch)).toEqual([0, 1]);
});

it('a failure that waits does not put off a return', () => {
  const watch = watchWith({ baseEjectionMs: 60 });
  fail(watch, 0);
  clock.advance(50);
  fail(watch, 1);
  clock.advance(5);
  fail(watch, 1);
  // The return is due in 5 ms, the failures in 45.
  clock.advance(4);
  expect(ejected(watch)).toEqual([0, 1]);
  clock.advance(1);
  expect(ejected(watch)).toEqual([1]);
});

it('a failure that waits longer than until the next return does not put it off, however short its own wait', () => {
  const watch = watchWith({ baseEjectionMs: 90 });
  fail(watch, 0);
  clock.advance(50);
  fail(watch, 1);
  clock.advance(20);
  // The return is due in 20 ms, the failures in 30; at its beginning the wait for the return was 40.
  fail(watch, 1);
  clock.advance(19);
  expect(ejected(watch)).toEqual([0, 1]);
  clock.advance(1);
  expect(ejected(watch)).toEqual([1]);
});

it('an ejected endpoint stays ejected under other options, which hold from then on', () => {
  const watch = watchWith();
  fail(watch, 0);
  watch.configure({ consecutiveFailures: 2 });
  clock.advance(50);
  fail(watch, 1, 2);
  expect(ejected(watch)).toEqual([0, 1]);
});

it('the calls of an endpoint count from when it was judged first', () => {
  const watch = watchWith();
  const late = new CallTally();
  for (let call = 0; call < 10; call++) late.record('failure');
  tallies.push(late);
  watch.judge();
  expect(ejected(watch)).toEqual([]);
  clock.advance(50);
  fail(watch, 4);
  expect(ejected(watch)).toEqual([4]);
});

it('nothing is judged once the watch has stopped', () => {
  const watch = watchWith();
  watch.stop();
  expect(clock.pendingTimers).toBe(0);
  fail(watch, 0, 50);
  clock.advance(60_000);
  expect([ejected(watch), changes, clock.pendingTimers]).toEqual([[], 0, 0]);
});
