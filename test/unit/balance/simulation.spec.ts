import { describe, expect, it } from 'vitest';
import type { Policy } from '../../../lib/balance/policy.js';
import { seededRandom } from '../../support/seeded-random.js';
import { policyOf } from './fixtures.js';
import {
  during,
  exponential,
  frozen,
  OK,
  RESOURCE_EXHAUSTED,
  Simulation,
  UNAVAILABLE,
  type Call,
} from './simulation.js';

const SEEDS = [1, 2, 3, 4, 5];
const PEAK_EWMA = policyOf('peak_ewma');

const failed = (calls: readonly Call[]): number => calls.filter(({ code }) => code !== OK).length;

function shareOf(server: number, calls: readonly Call[]): number {
  return calls.filter((call) => call.server === server).length / calls.length;
}

function percentile(calls: readonly Call[], share: number): number {
  const sorted = calls.map(({ latencyMs }) => latencyMs).sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length * share)]!;
}

const failing = (): { afterMs: number; code: number } => ({ afterMs: 0.1, code: UNAVAILABLE });

const whileSlow = (calls: readonly Call[]): readonly Call[] =>
  calls.filter(({ sentMs }) => sentMs >= 10_000 && sentMs < 40_000);

const runSlowed = (policy: Policy, meanMs: number, seed: number): readonly Call[] => {
  const usual = exponential(meanMs);
  const slowed = during(10_000, 40_000, () => ({ afterMs: 2_000 }), usual);
  const servers = [slowed, ...Array.from({ length: 10 }, () => usual)];
  const random = seededRandom(seed);
  return new Simulation({
    policy,
    servers,
    random,
    deadlineMs: 1_000,
    durationMs: 60_000,
  }).runOpenLoop(1_000);
};

const runSlowAmongThree = (policy: Policy, seed: number): readonly Call[] => {
  const usual = exponential(0.2);
  const servers = [during(500, 2_500, exponential(50), usual), usual, usual];
  const random = seededRandom(seed);
  return new Simulation({ policy, servers, random, deadlineMs: 1e9, durationMs: 2_500 })
    .runClosedLoop(32)
    .filter(({ sentMs }) => sentMs >= 500);
};

const runFrozen = (policy: Policy, meanMs: number, seed: number): readonly Call[] => {
  const usual = exponential(meanMs);
  const servers = [frozen(5_000, 11_000, usual), usual, usual];
  const random = seededRandom(seed);
  return new Simulation({
    policy,
    servers,
    random,
    deadlineMs: 1_000,
    durationMs: 25_000,
  }).runOpenLoop(300);
};

const runFailing = (
  policy: Policy,
  callsPerSecond: number,
  ejects: boolean,
  seed: number,
): number => {
  const usual = exponential(10);
  const servers = [failing, ...Array.from({ length: 9 }, () => usual)];
  const options = {
    policy,
    servers,
    random: seededRandom(seed),
    deadlineMs: 1_000,
    durationMs: 30_000,
  };
  const calls = new Simulation(ejects ? { ...options, outliers: {} } : options).runOpenLoop(
    callsPerSecond,
  );
  return failed(calls) / calls.length;
};

describe('for 30 s, one of 11 servers answers each call after 2 s; 1,000 calls/s, deadline 1 s', () => {
  it.each([0.2, 1, 10])(
    'peak_ewma: 999 of 1,000 calls during that time succeed (usual latency %f ms)',
    (meanMs) => {
      for (const seed of SEEDS) {
        const calls = runSlowed(PEAK_EWMA, meanMs, seed);
        expect(failed(whileSlow(calls)) / 30_000).toBeLessThan(0.001);
        expect(
          shareOf(
            0,
            calls.filter(({ sentMs }) => sentMs > 50_000),
          ),
        ).toBeGreaterThan(0.06);
      }
    },
  );

  it('round_robin: 1 of 11 calls during that time fails, as expected, so the simulation is valid', () => {
    expect(failed(whileSlow(runSlowed(policyOf('round_robin'), 1, 1))) / 30_000).toBeCloseTo(
      1 / 11,
      3,
    );
  });
});

describe('one of 3 servers answers each call after 50 ms; 32 calls at a time', () => {
  it('peak_ewma: the slow server gets less than 0.1 % of the calls, 99 % of the calls take less than 1 ms, and the throughput is 1.3 times that of least_request', () => {
    for (const seed of SEEDS.slice(0, 3)) {
      const ours = runSlowAmongThree(PEAK_EWMA, seed);
      const leastRequest = runSlowAmongThree(policyOf('least_request'), seed);
      const roundRobin = runSlowAmongThree(policyOf('round_robin'), seed);
      expect(shareOf(0, ours)).toBeLessThan(0.001);
      expect(percentile(ours, 0.99)).toBeLessThan(1);
      expect(ours.length / leastRequest.length).toBeGreaterThan(1.3);
      expect(leastRequest.length / roundRobin.length).toBeGreaterThan(5);
    }
  });

  it('peak_ewma: the slow server has its share again within 8 s after it is fast again', () => {
    for (const seed of SEEDS) {
      const usual = exponential(1);
      const servers = [during(500, 1_500, exponential(50), usual), usual, usual];
      const random = seededRandom(seed);
      const calls = new Simulation({
        policy: PEAK_EWMA,
        servers,
        random,
        deadlineMs: 1e9,
        durationMs: 11_500,
      }).runClosedLoop(32);
      expect(
        shareOf(
          0,
          calls.filter(({ sentMs }) => sentMs > 9_500),
        ),
      ).toBeGreaterThan(0.2);
    }
  });
});

describe('one of 3 servers is frozen for 6 s, 300 calls/s, deadline 1 s', () => {
  it.each([0.2, 1, 5])(
    'peak_ewma: at most 4 of 1,800 calls fail, and the server is used again (usual latency %f ms)',
    (meanMs) => {
      for (const seed of SEEDS) {
        const calls = runFrozen(PEAK_EWMA, meanMs, seed);
        expect(failed(calls)).toBeLessThanOrEqual(4);
        expect(failed(calls)).toBeGreaterThanOrEqual(1);
        expect(
          shareOf(
            0,
            calls.filter(({ sentMs }) => sentMs > 20_000),
          ),
        ).toBeGreaterThan(0.2);
      }
    },
  );

  it('round_robin: 1 of 3 calls fails for 5 s, as expected, so the simulation is valid', () => {
    expect(failed(runFrozen(policyOf('round_robin'), 1, 1))).toBeCloseTo(500, -1);
  });
});

describe('one of 10 servers fails every call at once', () => {
  it.each(['round_robin', 'least_request', 'peak_ewma'] as const)(
    '%s with outlier ejection: at most one call in 100 fails',
    (name) => {
      for (const seed of SEEDS) {
        expect(runFailing(policyOf(name), 100, true, seed)).toBeLessThan(0.01);
        expect(runFailing(policyOf(name), 1_000, true, seed)).toBeLessThan(0.001);
      }
    },
  );

  it('peak_ewma without ejection: at most 1 % of the calls fail; least_request sends the failing server more than its share', () => {
    for (const seed of SEEDS) {
      expect(runFailing(PEAK_EWMA, 100, false, seed)).toBeLessThan(0.01);
      expect(runFailing(PEAK_EWMA, 1_000, false, seed)).toBeLessThan(0.01);
    }
    expect(runFailing(policyOf('least_request'), 1_000, false, 1)).toBeGreaterThan(0.12);
  });
});

describe('all servers answer some calls with errors', () => {
  it('peak_ewma: with 1 % of errors each of 3 servers keeps 25 to 42 % of the calls', () => {
    for (const seed of SEEDS) {
      const usual = exponential(1);
      const random = seededRandom(seed);
      const erring = (nowMs: number) => ({
        ...usual(nowMs, random),
        code: random() < 0.01 ? UNAVAILABLE : OK,
      });
      const calls = new Simulation({
        policy: PEAK_EWMA,
        servers: [erring, erring, erring],
        random,
        deadlineMs: 1_000,
        durationMs: 60_000,
      }).runOpenLoop(300);
      for (const server of [0, 1, 2]) {
        expect(shareOf(server, calls)).toBeGreaterThan(0.25);
        expect(shareOf(server, calls)).toBeLessThan(0.42);
      }
    }
  });
});

function runRefusing(policy: Policy, seed: number, refusal: object): readonly Call[] {
  const usual = exponential(10);
  const refusing = () => ({ afterMs: 0.1, code: RESOURCE_EXHAUSTED, ...refusal });
  const servers = [
    during(5_000, 25_000, refusing, usual),
    ...Array.from({ length: 9 }, () => usual),
  ];
  const random = seededRandom(seed);
  const options = { policy, servers, random, deadlineMs: 1_000, durationMs: 50_000 };
  return new Simulation(options).runOpenLoop(1_000);
}

describe('one of 10 servers refuses every call with RESOURCE_EXHAUSTED for 20 s, 1,000 calls/s', () => {
  const POLICIES: readonly Policy[] = [
    PEAK_EWMA,
    policyOf('least_request'),
    policyOf('consistent_hash', { hashKey: () => undefined }),
  ];

  it.each(POLICIES)(
    '$name sends that server at most one call in 100, and afterwards its share again',
    (policy) => {
      for (const seed of SEEDS) {
        const calls = runRefusing(policy, seed, {});
        expect(failed(calls) / 20_000).toBeLessThan(0.01);
        expect(
          shareOf(
            0,
            calls.filter(({ sentMs }) => sentMs > 40_000),
          ),
        ).toBeGreaterThan(0.06);
      }
    },
  );

  it.each(POLICIES)(
    '$name sends that server fewer calls, the longer the server asks for none',
    (policy) => {
      const counts = ['50', '1000', '30000'].map((pushback) =>
        failed(runRefusing(policy, 1, { pushback })),
      );
      expect(counts).toEqual(counts.toSorted((one, other) => other - one));
      expect(new Set(counts).size).toBe(3);
    },
  );

  it('round_robin, which ignores load: 1 of 10 calls fails, as expected, so the simulation is valid', () => {
    expect(failed(runRefusing(policyOf('round_robin'), 1, {})) / 20_000).toBeCloseTo(0.1, 3);
  });
});

describe('all of 3 servers refuse the same share of calls', () => {
  it.each([
    ['one call in 100', 0.01],
    ['nine calls in 10', 0.9],
    ['every call', 1],
  ])('if each server refuses %s, each keeps its share', (_name, share) => {
    for (const policy of [PEAK_EWMA, policyOf('least_request')] as const) {
      const usual = exponential(5);
      const random = seededRandom(3);
      const refusing = (nowMs: number) =>
        random() < share ? { afterMs: 0.5, code: RESOURCE_EXHAUSTED } : usual(nowMs, random);
      const servers = [refusing, refusing, refusing];
      const options = { policy, servers, random, deadlineMs: 1_000, durationMs: 60_000 };
      const calls = new Simulation(options).runOpenLoop(300);
      for (const server of [0, 1, 2]) expect(shareOf(server, calls)).toBeGreaterThan(0.2);
    }
  });
});
