import { expect, it } from 'vitest';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import { countInFlight } from '../../../../lib/balance/load/in-flight-sum.js';
import { leastRequestLoad } from '../../../../lib/balance/policies/least-request.js';
import { RefusedCalls } from '../../../../lib/balance/load/refused-calls.js';
import { seededRandom } from '../../../support/seeded-random.js';

it('refusals count until their time is over, in whatever order they came', () => {
  const refused = new RefusedCalls();
  for (const untilMs of [5_000, 1_000, 5_000, 3_000]) refused.add(untilMs);
  expect([0, 999, 1_000, 2_999, 3_000, 4_999, 5_000].map((nowMs) => refused.at(nowMs))).toEqual([
    4, 4, 3, 3, 2, 2, 0,
  ]);
});

it('random refusals end at the earliest when asked, and 50 ms later at most', () => {
  const random = seededRandom(11);
  const refused = new RefusedCalls();
  const ends: number[] = [];
  for (let nowMs = 0; nowMs < 20_000; nowMs += 7) {
    const untilMs = nowMs + random() * 3_000;
    refused.add(untilMs);
    ends.push(untilMs);
    const count = refused.at(nowMs);
    expect(count).toBeGreaterThanOrEqual(ends.filter((end) => end > nowMs).length);
    expect(count).toBeLessThanOrEqual(ends.filter((end) => end > nowMs - 50).length);
  }
  expect(refused.at(30_000)).toBe(0);
});

const refuse = (load: EndpointLoad, nowMs: number, refusedMs: number): void => {
  load.started(nowMs);
  load.ended(nowMs, nowMs, 'failure', true, refusedMs);
};

it('a refused call counts as in flight under least_request, for as long as the server asked', () => {
  const load = new EndpointLoad(new FleetLoad());
  refuse(load, 0, 5_000);
  expect(load.inFlight).toBe(0);
  expect(leastRequestLoad(load, 2, 4_900)).toBe(0.5);
  expect(leastRequestLoad(load, 2, 5_000)).toBe(0);
});

it('the sum of a pool has the refused calls of its endpoints, earlier ones too, until they are over', () => {
  const load = new EndpointLoad(new FleetLoad());
  refuse(load, 0, 1_000);
  const sum = countInFlight([{ load }]);
  refuse(load, 0, 2_000);
  expect(sum).toEqual({ inFlight: 0, refused: 2 });
  load.refusedCalls(1_000);
  expect(sum.refused).toBe(1);
  load.refusedCalls(9_000);
  expect(sum.refused).toBe(0);
});

it('refusals that are over are dropped, even if no policy asks for them', () => {
  const load = new EndpointLoad(new FleetLoad());
  const sum = countInFlight([{ load }]);
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 50) refuse(load, nowMs, 5_000);
  // The refusals of the last 5 s, at 20 per second.
  expect(sum.refused).toBe(100);
});

it('under peak_ewma the time of a refusal counts as latency, also for a stream, which has no other latency', () => {
  const fleet = new FleetLoad();
  const load = new EndpointLoad(fleet);
  const streaming = new EndpointLoad(fleet);
  refuse(load, 0, 5_000);
  streaming.started(0, false);
  streaming.ended(0, 0, 'failure', false, 5_000);
  expect(load.expectedMs(0)).toBeGreaterThanOrEqual(5_000);
  expect(streaming.expectedMs(0)).toBeGreaterThanOrEqual(5_000);
  // A refusal is no answer, so it does not change the typical latency of the fleet.
  expect(fleet.typicalMs).toBe(1);
});
