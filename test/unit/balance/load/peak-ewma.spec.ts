import { describe, expect, it } from 'vitest';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import { PeakEwma } from '../../../../lib/balance/load/peak-ewma.js';

/** An estimate that has settled at 1 ms, in a fleet whose typical latency is 1 ms. */
function settled(options?: ConstructorParameters<typeof PeakEwma>[1]): PeakEwma {
  const fleet = new FleetLoad();
  const estimate = new PeakEwma(fleet, options);
  estimate.succeeded(1, 0);
  return estimate;
}

describe('PeakEwma', () => {
  it('the estimate rises to a slower answer at once', () => {
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

  it('a peak ends after some dozens of faster answers, at any rate of calls, and not after a few', () => {
    const estimate = settled();
    estimate.succeeded(100, 0);
    for (let answer = 0; answer < 5; answer++) estimate.succeeded(1, 1);
    expect(estimate.estimate(1)).toBeGreaterThan(80);
    for (let answer = 0; answer < 200; answer++) estimate.succeeded(1, 1);
    expect(estimate.estimate(1)).toBeLessThan(2);
  });

  it('the estimate of an idle endpoint sinks to half of the typical latency, and no lower', () => {
    const fleet = new FleetLoad();
    const slow = new PeakEwma(fleet);
    const usual = new PeakEwma(fleet);
    slow.succeeded(1_000, 0);
    for (let answer = 0; answer < 5_000; answer++) usual.succeeded(4, answer);
    expect(fleet.typicalMs).toBeCloseTo(4, 3);
    expect(slow.estimate(5_000)).toBeCloseTo(1_000 * Math.exp(-5), 6);
    expect(slow.estimate(60_000)).toBeCloseTo(2, 3);
  });

  it('the estimate of an idle endpoint does not change if it is below half of the typical latency', () => {
    const fleet = new FleetLoad();
    const fast = new PeakEwma(fleet);
    fleet.observe(100);
    for (let answer = 0; answer < 2_000; answer++) fleet.observe(100);
    fast.succeeded(0.5, 0);
    expect(fast.estimate(60_000)).toBe(0.5);
  });

  it('the estimate of a new endpoint is the typical latency of the fleet, which neither draws nor repels calls', () => {
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

  it.each([
    [{ failurePenalty: 3 }, 4],
    [{ failurePenalty: 0 }, 1],
  ])(
    'with the options %j, an endpoint whose calls all fail fast counts as %d times as slow',
    (options, factor) => {
      const given = settled(options);
      const changed = settled();
      changed.configure(options);
      for (const estimate of [given, changed]) {
        for (let nowMs = 1; nowMs <= 5_000; nowMs++) estimate.failed(0.01, nowMs);
        expect(estimate.estimate(5_000)).toBeCloseTo(factor, 1);
      }
    },
  );

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

  it('a call that the client gave up may raise the estimate, but never lowers it', () => {
    const estimate = settled();
    estimate.tookAtLeast(0.1, 0);
    expect(estimate.estimate(0)).toBe(1);
    estimate.tookAtLeast(30, 0);
    expect(estimate.estimate(0)).toBe(30);
  });

  it('failures decay with time, also if later calls are given up', () => {
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

describe('one call', () => {
  it('that is answered faster moves the estimate by at least 1/32 of the distance', () => {
    const estimate = settled();
    estimate.succeeded(100, 0);
    estimate.succeeded(4, 0);
    expect(estimate.estimate(0)).toBe(97);
  });

  it('that fails adds 1/32 of the penalty at least', () => {
    const estimate = settled({ failurePenalty: 32 });
    estimate.failed(1, 0);
    expect(estimate.estimate(0)).toBe(2);
  });

  it('that was given up lets a slower answer decay, and lowers the estimate no further', () => {
    const estimate = settled();
    estimate.succeeded(100, 0);
    estimate.tookAtLeast(1, 0);
    expect(estimate.estimate(0)).toBe(100);
    estimate.tookAtLeast(1, 1_000);
    expect(estimate.estimate(1_000)).toBeCloseTo(100 / Math.E, 9);
  });

  it('that was given up before the first answer leaves at least the typical latency of the fleet', () => {
    const fleet = new FleetLoad();
    fleet.observe(20);
    const estimate = new PeakEwma(fleet);
    estimate.tookAtLeast(1, 0);
    expect(estimate.estimate(0)).toBeCloseTo(20, 9);
  });

  it('decays from its end on, and counts in full if the given time is before its end', () => {
    const estimate = settled();
    estimate.succeeded(100, 10);
    expect(estimate.estimate(9.5)).toBe(100);
    expect(estimate.estimate(11)).toBeCloseTo(100 * Math.exp(-0.001), 9);
    expect(estimate.estimate(10.5)).toBeCloseTo(100 * Math.exp(-0.0005), 9);
  });
});
