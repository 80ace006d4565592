import { describe, expect, it } from 'vitest';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import { peakEwma, peakEwmaLoad } from '../../../../lib/balance/policies/peak-ewma-load.js';
import { numberRule } from '../../../../lib/balance/policy-definition.js';

it.each([
  ['decayMs', [1, 1.5, 600_000], [0.9, 600_001, Infinity]],
  ['failurePenalty', [0, 0.5, 1_000_000], [-0.1, 1_000_001]],
] as const)('the option %s of peak_ewma may be %j, and not %j', (name, right, wrong) => {
  const rule = numberRule(peakEwma.options[name]);
  expect(right.map((value) => rule.read(value))).toEqual(right);
  expect(wrong.filter((value) => rule.read(value) !== undefined)).toEqual([]);
});

describe('peakEwmaLoad', () => {
  /** The load in a fleet of many other endpoints, which are all idle. */
  const alone = peakEwmaLoad(new FleetLoad(), 1);

  it('does not count the usual number of calls twice: the latency already contains their waiting', () => {
    const fleet = new FleetLoad();
    const [fast, slow] = [new EndpointLoad(fleet), new EndpointLoad(fleet)];
    for (let call = 0; call < 16; call++) fast.started(0);
    // 6 ms with 15 other calls is less load than 50 ms alone; by latency times calls it would be more.
    fast.ended(6, 0, 'success');
    slow.started(0);
    slow.ended(50, 0, 'success');
    for (let call = 0; call < 2; call++) fast.started(50);
    const load = peakEwmaLoad(fleet, 2);
    expect(load(fast, 1, 6)).toBeLessThan(load(slow, 1, 50));
    expect(load(fast, 1, 6)).toBeGreaterThan(fast.latency.estimate(6));
  });

  it('is the latency times how much more crowded the endpoint is than the mean of its pool', () => {
    const load = new EndpointLoad(new FleetLoad());
    load.started(0);
    load.ended(10, 0, 'success');
    for (let call = 0; call < 6; call++) load.started(10);
    // The mean is two calls in flight per endpoint: this endpoint is (6 + 1 + 2) / (1 + 2) times as crowded.
    expect(peakEwmaLoad({ inFlight: 8 }, 4)(load, 1, 10)).toBe(30);
    expect(peakEwmaLoad({ inFlight: 8 }, 4)(load, 2, 10)).toBe(20);
    expect(peakEwmaLoad({ inFlight: 0 }, 4)(load, 1, 10)).toBe(70);
  });

  it('grows with every call in flight, and half as fast at twice the weight', () => {
    const load = new EndpointLoad(new FleetLoad());
    load.started(0);
    load.ended(10, 0, 'success');
    expect(alone(load, 1, 10)).toBe(10);
    load.started(10);
    load.started(10);
    expect(alone(load, 1, 10)).toBe(30);
    expect(alone(load, 2, 10)).toBe(20);
  });

  it('sinks while the endpoint has nothing to answer, but not while a trial is under way', () => {
    const load = new EndpointLoad(new FleetLoad());
    load.started(0);
    load.ended(50, 0, 'success');
    expect(load.expectedMs(2_050)).toBeLessThan(26);
    load.started(2_050);
    expect(load.expectedMs(2_060)).toBe(50);
    load.ended(2_100, 2_050, 'success');
    expect(load.expectedMs(4_100)).toBeLessThan(26);
  });

  it('grows while calls hang, until an answer comes', () => {
    const load = new EndpointLoad(new FleetLoad());
    load.started(0);
    load.ended(1, 0, 'success');
    load.started(1_000);
    load.started(1_400);
    expect(load.silenceMs(1_500)).toBe(500);
    expect(alone(load, 1, 1_500)).toBe(1_500);
    load.ended(1_600, 1_400, 'failure');
    expect(load.silenceMs(1_700)).toBe(100);
    load.ended(1_800, 1_000, 'success');
    expect(load.silenceMs(5_000)).toBe(0);
  });

  it('does not rise with the time for which a stream is open', () => {
    const load = new EndpointLoad(new FleetLoad());
    load.started(0);
    load.ended(1, 0, 'success');
    load.started(1, false);
    expect(alone(load, 1, 1)).toBe(2);
    expect(load.silenceMs(3_600_000)).toBe(0);
    load.ended(3_600_000, 1, 'success', false);
    expect(alone(load, 1, 3_600_000)).toBeLessThanOrEqual(1);
    expect(load.tally.successes).toBe(2);
  });
});
