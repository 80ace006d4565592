import { describe, expect, it } from 'vitest';
import { EndpointLoad } from '../../../../lib/balance/load/endpoint-load.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import { PeakEwma } from '../../../../lib/balance/load/peak-ewma.js';
import { peakEwmaLoad } from '../../../../lib/balance/policies/peak-ewma-load.js';

/** An estimate that has settled at 1 ms in a fleet where that is typical. */
function settled(options?: ConstructorParameters<typeof PeakEwma>[1]): PeakEwma {
  const fleet = new FleetLoad();
  const estimate = new PeakEwma(fleet, options);
  estimate.succeeded(1, 0);
  return estimate;
}

describe('PeakEwma', () => {
  it('the estimate takes a slower answer in full at once', () => {
    const estimate = settled();
    estimate.succeeded(50, 10);
    expect(estimate.estimate(10)).toBe(50);
  });

  it('the estimate keeps 37 % of a peak after the decay time, with or without faster answers in between', () => {
    const idle = settled({ decayMs: 500 });
    idle.succeeded(100, 0);
    expect(idle.estimate(500)).toBeCloseTo(100 / Math.E, 6);
    const busy = settled({ decayMs: 500 });
    busy.succeeded(100, 0);
    for (let nowMs = 50; nowMs <= 500; nowMs += 50) busy.succeeded(2, nowMs);
    expect(busy.estimate(500)).toBeCloseTo(2 + 98 / Math.E, 0);
  });

  it('a peak is over after some dozens of faster answers, at any rate, and not after a few', () => {
    const estimate = settled();
    estimate.succeeded(100, 0);
    for (let answer = 0; answer < 5; answer++) estimate.succeeded(1, 1);
    expect(estimate.estimate(1)).toBeGreaterThan(80);
    for (let answer = 0; answer < 200; answer++) estimate.succeeded(1, 1);
    expect(estimate.estimate(1)).toBeLessThan(2);
  });

  it('the estimate of an idle endpoint sinks to half of what is typical and no lower', () => {
    const fleet = new FleetLoad();
    const slow = new PeakEwma(fleet);
    const usual = new PeakEwma(fleet);
    slow.succeeded(1_000, 0);
    for (let answer = 0; answer < 5_000; answer++) usual.succeeded(4, answer);
    expect(fleet.typicalMs).toBeCloseTo(4, 3);
    expect(slow.estimate(5_000)).toBeCloseTo(1_000 * Math.exp(-5), 6);
    expect(slow.estimate(60_000)).toBeCloseTo(2, 3);
  });

  it('that floor does not raise the estimate where answers were faster', () => {
    const fleet = new FleetLoad();
    const fast = new PeakEwma(fleet);
    fleet.observe(100);
    for (let answer = 0; answer < 2_000; answer++) fleet.observe(100);
    fast.succeeded(0.5, 0);
    expect(fast.estimate(60_000)).toBe(0.5);
  });

  it('the estimate of a new endpoint is what is typical in the fleet, and neither draws nor repels calls', () => {
    const fleet = new FleetLoad();
    const old = new PeakEwma(fleet);
    for (let answer = 0; answer < 1_000; answer++) old.succeeded(20, answer);
    expect(new PeakEwma(fleet).estimate(1_000)).toBeCloseTo(20, 6);
    const cold = new PeakEwma(fleet);
    cold.succeeded(3, 1_000);
    expect(cold.estimate(1_000)).toBe(3);
  });

  it('an endpoint whose calls all fail fast counts as up to 100 times slower', () => {
    const estimate = settled();
    for (let nowMs = 1; nowMs <= 5_000; nowMs++) estimate.failed(0.01, nowMs);
    expect(estimate.estimate(5_000)).toBeGreaterThan(95);
    expect(estimate.estimate(5_000)).toBeLessThanOrEqual(101);
    expect(estimate.estimate(10_000)).toBeLessThan(2);
  });

  it('an endpoint with 1 % of failed calls counts as about twice as slow, at any rate of calls', () => {
    for (const everyMs of [0.1, 1, 10]) {
      const estimate = settled();
      let sum = 0;
      for (let call = 1; call <= 10_000; call++) {
        if (call % 100 === 0) estimate.failed(1, call * everyMs);
        else estimate.succeeded(1, call * everyMs);
        sum += estimate.estimate(call * everyMs);
      }
      expect(sum / 10_000).toBeGreaterThan(1.5);
      expect(sum / 10_000).toBeLessThan(2.5);
    }
  });

  it('the estimate reacts to the first failures at any rate of calls', () => {
    const estimate = settled();
    for (let call = 1; call <= 5; call++) estimate.failed(0.01, call * 0.1);
    expect(estimate.estimate(0.5)).toBeGreaterThan(10);
  });

  it('a call that was given up may raise the estimate and never lowers it', () => {
    const estimate = settled();
    estimate.tookAtLeast(0.1, 0);
    expect(estimate.estimate(0)).toBe(1);
    estimate.tookAtLeast(30, 0);
    expect(estimate.estimate(0)).toBe(30);
  });

  it('failures decay with time also where calls are given up', () => {
    const estimate = settled();
    for (let nowMs = 1; nowMs <= 1_000; nowMs++) estimate.failed(1, nowMs);
    estimate.tookAtLeast(0, 6_000);
    expect(estimate.estimate(6_000)).toBeLessThan(0.05);
  });

  it('an answer that took no time leaves an estimate above 0', () => {
    const estimate = new PeakEwma(new FleetLoad());
    estimate.succeeded(0, 0);
    expect(estimate.estimate(1)).toBeGreaterThan(0);
  });
});

describe('peakEwmaLoad', () => {
  /** In a fleet of many other endpoints, all idle. */
  const alone = peakEwmaLoad(new FleetLoad(), 1);

  it('does not count the crowd twice: what is usual is in the latency already', () => {
    const fleet = new FleetLoad();
    const [fast, slow] = [new EndpointLoad(fleet), new EndpointLoad(fleet)];
    for (let call = 0; call < 16; call++) fast.started(0);
    // Six milliseconds with 15 others, or fifty alone: latency times calls would have it the other way round.
    fast.ended(6, 0, 'success');
    slow.started(0);
    slow.ended(50, 0, 'success');
    for (let call = 0; call < 2; call++) fast.started(50);
    const load = peakEwmaLoad(fleet, 2);
    expect(load(fast, 1, 6)).toBeLessThan(load(slow, 1, 50));
    expect(load(fast, 1, 6)).toBeGreaterThan(fast.latency.estimate(6));
  });

  it('grows with every call in flight, half as fast at twice the weight', () => {
    const load = new EndpointLoad(new FleetLoad());
    load.started(0);
    load.ended(10, 0, 'success');
    expect(alone(load, 1, 10)).toBe(10);
    load.started(10);
    load.started(10);
    expect(alone(load, 1, 10)).toBe(30);
    expect(alone(load, 2, 10)).toBe(20);
  });

  it('sinks while there is nothing to answer, and not while a trial is under way', () => {
    const load = new EndpointLoad(new FleetLoad());
    load.started(0);
    load.ended(50, 0, 'success');
    expect(load.expectedMs(2_050)).toBeLessThan(26);
    load.started(2_050);
    expect(load.expectedMs(2_060)).toBe(50);
    load.ended(2_100, 2_050, 'success');
    expect(load.expectedMs(4_100)).toBeLessThan(26);
  });

  it('grows while calls hang, and an answer ends it', () => {
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

  it('takes neither a deadline nor a call given up for a sign of life', () => {
    const load = new EndpointLoad(new FleetLoad());
    for (let call = 0; call < 3; call++) load.started(0);
    load.ended(500, 0, 'timeout');
    load.ended(500, 0, 'abandoned');
    expect(load.silenceMs(600)).toBe(600);
  });

  it('is not raised by how long a stream stays open or lasted', () => {
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
