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

/** The indexes of the ejected endpoints in `tallies`. */
const ejected = (watch: OutlierWatch) =>
  [...tallies.keys()].filter((at) => watch.isEjected(tallies[at]!));

function fail(watch: OutlierWatch, at: number, times = 5): void {
  for (let call = 0; call < times; call++) {
    tallies[at]!.record('failure');
    watch.onFailure(tallies[at]!);
  }
}

it('the watch ejects an endpoint with its fifth failure in a row, and reports the change', () => {
  const watch = watchWith();
  fail(watch, 0, 4);
  expect([ejected(watch), changes]).toEqual([[], 0]);
  fail(watch, 0, 1);
  expect([ejected(watch), changes]).toEqual([[0], 1]);
});

it('the watch reports the return of an endpoint, exact to the millisecond', () => {
  const watch = watchWith({ baseEjectionMs: 2_345 });
  fail(watch, 0);
  clock.advance(2_344);
  expect([ejected(watch), changes]).toEqual([[0], 1]);
  clock.advance(1);
  expect([ejected(watch), changes]).toEqual([[], 2]);
});

it('the watch does not report a judgement that changes nothing', () => {
  watchWith();
  clock.advance(60_000);
  expect(changes).toBe(0);
});

it('the watch judges all endpoints once an interval, with one timer', () => {
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

it('a failure within 50 ms of the last judgement is judged when the 50 ms are over', () => {
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

it('a failure within 50 ms of the judgement of an interval is judged when the 50 ms are over', () => {
  const watch = watchWith({ intervalMs: 700 });
  clock.advance(749);
  fail(watch, 0);
  expect(ejected(watch)).toEqual([]);
  clock.advance(1);
  expect(ejected(watch)).toEqual([0]);
});

it('a failure 50 ms after the last judgement is judged at once', () => {
  const watch = watchWith();
  fail(watch, 0);
  clock.advance(50);
  fail(watch, 1);
  expect(ejected(watch)).toEqual([0, 1]);
});

it('an endpoint returns in time while a failure waits to be judged', () => {
  const watch = watchWith({ baseEjectionMs: 60 });
  fail(watch, 0);
  clock.advance(50);
  fail(watch, 1);
  clock.advance(5);
  fail(watch, 1);
  // The return is due in 5 ms, the judgement of the failures in 45 ms.
  clock.advance(4);
  expect(ejected(watch)).toEqual([0, 1]);
  clock.advance(1);
  expect(ejected(watch)).toEqual([1]);
});

it('an endpoint returns in time if a failure waits for a judgement that is due after the return, in a shorter time than the return', () => {
  const watch = watchWith({ baseEjectionMs: 90 });
  fail(watch, 0);
  clock.advance(50);
  fail(watch, 1);
  clock.advance(20);
  // The return is due in 20 ms, the judgement of the failure in 30 ms; the wait for the return began with 40
  // ms.
  fail(watch, 1);
  clock.advance(19);
  expect(ejected(watch)).toEqual([0, 1]);
  clock.advance(1);
  expect(ejected(watch)).toEqual([1]);
});

it('configure() leaves ejected endpoints ejected, and judges later failures by the new options', () => {
  const watch = watchWith();
  fail(watch, 0);
  watch.configure({ consecutiveFailures: 2 });
  clock.advance(50);
  fail(watch, 1, 2);
  expect(ejected(watch)).toEqual([0, 1]);
});

it('calls of an endpoint before its first judgement do not count', () => {
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

it('a stopped watch judges nothing, and has no timer', () => {
  const watch = watchWith();
  watch.stop();
  expect(clock.pendingTimers).toBe(0);
  fail(watch, 0, 50);
  clock.advance(60_000);
  expect([ejected(watch), changes, clock.pendingTimers]).toEqual([[], 0, 0]);
});
