import { beforeEach, describe, expect, it } from 'vitest';
import type { CallOutcome } from '../../../../lib/balance/load/call-outcome.js';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import { countInFlight } from '../../../../lib/balance/load/in-flight-sum.js';
import { leastRequestLoad } from '../../../../lib/balance/policies/least-request.js';

let fleet: FleetLoad;
let load: EndpointLoad;

beforeEach(() => {
  fleet = new FleetLoad();
  load = new EndpointLoad(fleet);
});

/** Lets one call be answered in 20 ms, which is then the latency, at the time 20 ms. */
const settle = (): void => {
  load.started(0);
  load.ended(20, 0, 'success');
};

const refuse = (nowMs: number, refusedMs: number): void => {
  load.started(nowMs);
  load.ended(nowMs, nowMs, 'failure', true, refusedMs);
};

describe('the calls in flight of an endpoint', () => {
  it.each([true, false])(
    'count in the endpoint, its fleet and its pool, from start to end (timed: %s)',
    (timed) => {
      const pool = countInFlight([{ load }]);
      const counts = (): number[] => [load.inFlight, fleet.inFlight, pool.inFlight];
      load.started(0, timed);
      load.started(0, timed);
      expect(counts()).toEqual([2, 2, 2]);
      load.ended(1, 0, 'success', timed);
      expect(counts()).toEqual([1, 1, 1]);
      load.ended(1, 0, 'abandoned', timed);
      expect(counts()).toEqual([0, 0, 0]);
    },
  );

  it('count from enter() to leave(), which record no success and no failure', () => {
    const pool = countInFlight([{ load }]);
    load.enter();
    expect([load.inFlight, fleet.inFlight, pool.inFlight]).toEqual([1, 1, 1]);
    expect(load.silenceMs(1_000)).toBe(0);
    load.leave();
    expect([load.inFlight, fleet.inFlight, pool.inFlight]).toEqual([0, 0, 0]);
    expect([load.tally.successes, load.tally.failures]).toEqual([0, 0]);
  });

  it('count in the sum that was created last, including calls that were under way, and not in the earlier sum', () => {
    const other = new EndpointLoad(fleet);
    for (let call = 0; call < 3; call++) load.started(0);
    other.started(0);
    const earlier = countInFlight([{ load }, { load: other }]);
    expect(earlier.inFlight).toBe(4);
    const later = countInFlight([{ load }]);
    load.started(0);
    other.started(0);
    expect([earlier.inFlight, later.inFlight]).toEqual([5, 4]);
  });
});

describe('the end of a call', () => {
  it.each<[CallOutcome, timed: boolean, successes: number, failures: number]>([
    ['success', true, 1, 0],
    ['failure', true, 0, 1],
    ['timeout', true, 0, 1],
    ['abandoned', true, 0, 0],
    ['success', false, 1, 0],
    ['failure', false, 0, 1],
  ])(
    'with the outcome %s (timed: %s) counts as %i successes and %i failures',
    (outcome, timed, successes, failures) => {
      load.started(0, timed);
      load.ended(1, 0, outcome, timed);
      expect(load.tally).toMatchObject({ successes, failures });
    },
  );

  it.each<[CallOutcome, elapsedMs: number, expectedMs: number]>([
    ['success', 80, 80],
    // A faster answer moves the estimate by a 32nd of the way.
    ['success', 0, 20 - 20 / 32],
    ['abandoned', 80, 80],
    ['abandoned', 0, 20],
    // 100 times as slow, by the share of failures; a fast failure counts as no faster than the fleet.
    ['failure', 80, 80 * (1 + 100 * (1 - Math.exp(-0.08)))],
    ['failure', 0, 20 * (1 + 100 / 32)],
    ['timeout', 80, 80 * (1 + 100 * (1 - Math.exp(-0.08)))],
  ])(
    'with the outcome %s after %i ms changes a latency of 20 ms to %d ms',
    (outcome, elapsedMs, expectedMs) => {
      settle();
      load.started(20);
      load.ended(20 + elapsedMs, 20, outcome);
      expect(load.expectedMs(20 + elapsedMs)).toBeCloseTo(expectedMs, 6);
    },
  );

  it.each<[CallOutcome]>([['success'], ['failure'], ['timeout'], ['abandoned']])(
    'with the outcome %s does not change the latency if the call is not timed',
    (outcome) => {
      load.started(0, false);
      load.ended(5_000, 0, outcome, false);
      // The endpoint still has no latency of its own: what is typical now counts.
      fleet.observe(300);
      expect(load.expectedMs(5_000)).toBeCloseTo(300, 6);
    },
  );

  it.each<[CallOutcome, timed: boolean, isSign: boolean]>([
    ['success', true, true],
    ['failure', true, true],
    ['timeout', true, false],
    ['abandoned', true, false],
    ['success', false, false],
    ['failure', false, false],
  ])(
    'with the outcome %s (timed: %s) is a sign of life for the calls that still wait: %s',
    (outcome, timed, isSign) => {
      load.started(0);
      load.started(10, timed);
      load.ended(40, 10, outcome, timed);
      expect(load.silenceMs(100)).toBe(isSign ? 60 : 100);
    },
  );
});

describe('the silence of an endpoint', () => {
  it('begins with the first call that waits, and ends with the last one', () => {
    expect(load.silenceMs(50)).toBe(0);
    load.started(100);
    load.started(150);
    expect(load.silenceMs(200)).toBe(100);
    load.ended(200, 100, 'abandoned');
    expect(load.silenceMs(250)).toBe(150);
    load.ended(250, 150, 'abandoned');
    expect(load.silenceMs(300)).toBe(0);
    load.started(400);
    expect(load.silenceMs(410)).toBe(10);
  });

  it('does not begin with a stream', () => {
    load.started(0, false);
    expect(load.silenceMs(1_000)).toBe(0);
    load.started(1_000);
    expect(load.silenceMs(1_010)).toBe(10);
  });
});

describe('the expected latency', () => {
  beforeEach(settle);

  it('sinks with time if no call waits, or only a stream is open', () => {
    expect(load.expectedMs(520)).toBeCloseTo(20 * Math.exp(-0.5), 6);
    load.started(20, false);
    expect(load.expectedMs(520)).toBeCloseTo(20 * Math.exp(-0.5), 6);
  });

  it('stays while the silence is shorter than the latency, and grows with the silence after that', () => {
    load.started(520);
    expect(load.expectedMs(520)).toBeCloseTo(20, 6);
    expect(load.expectedMs(535)).toBeCloseTo(20, 6);
    expect(load.expectedMs(620)).toBe(100);
  });
});

describe('a call that the endpoint refused', () => {
  it('counts as in flight under least_request for the time that the server asked for', () => {
    refuse(0, 5_000);
    expect(load.inFlight).toBe(0);
    expect(leastRequestLoad(load, 2, 4_900)).toBe(0.5);
    expect(leastRequestLoad(load, 2, 5_000)).toBe(0);
  });

  it('counts in the sum of the pool until the refusal is over, even if the sum was created later', () => {
    refuse(0, 1_000);
    const sum = countInFlight([{ load }]);
    refuse(0, 2_000);
    expect(sum).toEqual({ inFlight: 0, refused: 2 });
    expect(load.refusedCalls(1_000)).toBe(1);
    expect(sum.refused).toBe(1);
    expect(load.refusedCalls(9_000)).toBe(0);
    expect(sum.refused).toBe(0);
  });

  it('is dropped when the refusal is over, even if no policy asks for refused calls', () => {
    const sum = countInFlight([{ load }]);
    for (let nowMs = 0; nowMs < 3_600_000; nowMs += 50) refuse(nowMs, 5_000);
    // The refusals of the last 5 s, at 20 per second.
    expect(sum.refused).toBe(100);
  });

  it('counts as refused only if the time that the server asked for is above 0', () => {
    const sum = countInFlight([{ load }]);
    refuse(10, 0);
    expect([load.refusedCalls(10), sum.refused]).toEqual([0, 0]);
    refuse(10, 1);
    expect([load.refusedCalls(10), sum.refused]).toEqual([1, 1]);
  });

  it('makes the latency longer by the time that the server asked for', () => {
    settle();
    load.started(20);
    load.ended(30, 20, 'abandoned', true, 1_000);
    expect(load.expectedMs(30)).toBe(1_010);
  });

  it.each([1, 5_000])(
    'for %i ms sets the latency to this time if the call is a stream, because streams have no other latency',
    (refusedMs) => {
      load.started(0, false);
      load.ended(700, 0, 'failure', false, refusedMs);
      fleet.observe(300);
      expect(load.expectedMs(700)).toBe(refusedMs);
      expect(load.refusedCalls(700)).toBe(1);
    },
  );

  it('is no answer, so it does not change the typical latency of the fleet', () => {
    refuse(0, 5_000);
    expect(load.expectedMs(0)).toBeGreaterThanOrEqual(5_000);
    expect(fleet.typicalMs).toBe(1);
  });
});
