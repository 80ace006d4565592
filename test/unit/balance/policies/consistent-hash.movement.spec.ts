/** Which keys get another owner when endpoints join, leave or change. */
import { describe, expect, it } from 'vitest';
import type { PipelineOptions } from '../../../../lib/balance/candidate-pipeline.js';
import type { Candidate } from '../../../../lib/balance/candidate.js';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import type { PickRequest } from '../../../../lib/balance/picker.js';
import type { Pool } from '../../../../lib/balance/pool.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { candidate, candidates, compose, policyOf, poolOf, requestWith } from '../fixtures.js';

const KEYS = 20_000;
const POLICY = policyOf('consistent_hash', {
  hashKey: (request: PickRequest) => request.header('user'),
});
const REQUESTS = Array.from({ length: KEYS }, (_, key) => requestWith({ user: `user-${key}` }));

/** The standard deviation of one endpoint's share of keys on the ring, relative to that share. */
const RING_DEVIATION = 0.06;

/** The owner of each key in a pool. */
function ownersIn(pool: Pool<Candidate>): string[] {
  const picker = POLICY.createPicker(
    pool,
    { random: seededRandom(1), fleet: new FleetLoad() },
    undefined,
  );
  return REQUESTS.map((request) => picker.pick(request, 0).endpoint.address);
}

/** The owner of each key if all endpoints of the list are ready. */
function ownersOf(
  list: readonly Candidate[],
  options: PipelineOptions = {},
  nowMs = 0,
): readonly string[] {
  return ownersIn(compose(list, options, {}, nowMs).stable!);
}

/** The new owners of the keys that have another owner than before. */
function moves(before: readonly string[], after: readonly string[]): string[] {
  return after.filter((owner, key) => owner !== before[key]);
}

/** Expects that keys moved to one endpoint only, and as many as its share says. */
function expectMovedTo(address: string, moved: readonly string[], share: number): void {
  expect(moved.filter((owner) => owner !== address)).toEqual([]);
  // ε: 4 standard deviations of the shares on the ring and of the drawn keys together.
  const chance = Math.sqrt((1 - share) / share / KEYS);
  const epsilon = 4 * Math.hypot(RING_DEVIATION, chance);
  expect(Math.abs(moved.length / KEYS / share - 1)).toBeLessThan(epsilon);
}

/** `count` endpoints of a zone, with these weights repeated in turn. */
function zoneOf(zone: string, count: number, weights: readonly number[]): Candidate[] {
  return Array.from({ length: count }, (_, at) =>
    candidate(`${zone}:${at + 1}`, { zone, weight: weights[at % weights.length]! }),
  );
}

describe('an endpoint that joins', () => {
  // If the number of points per endpoint followed the mean weight, these weights would change it.
  it.each(
    [[1], [1, 2, 5, 10], [100, 300]].flatMap((weights) =>
      [3, 4, 7, 10, 20, 50, 200].flatMap((count) =>
        [1, 4, 40].map((factor) => ({ weights, count, weight: factor * weights[0]! })),
      ),
    ),
  )(
    'with weight $weight takes its share of the keys from $count endpoints with the weights $weights, and no key moves between those',
    ({ weights, count, weight }) => {
      const list = zoneOf('a', count, weights);
      const joined = candidate('10.0.0.2:1', { weight });
      const total = list.reduce((sum, one) => sum + one.weight, weight);
      const moved = moves(ownersOf(list), ownersOf([...list, joined]));
      expectMovedTo('10.0.0.2:1', moved, weight / total);
    },
  );

  it.each([3, 20])(
    'takes its share of the keys on average, which is less than 1 / N if it joins N = %i equal endpoints',
    (count) => {
      let moved = 0;
      for (let fleet = 0; fleet < 30; fleet++) {
        const list = zoneOf(`fleet-${fleet}`, count + 1, [1]);
        moved += moves(ownersOf(list.slice(1)), ownersOf(list)).length / KEYS / 30;
      }
      // ε: 4 standard deviations of the mean of 30 fleets, with 6 % of the ring and 3 % of the keys in each.
      expect(Math.abs(moved * (count + 1) - 1)).toBeLessThan(0.049);
      expect(moved).toBeLessThan(1 / count);
    },
  );

  it('and leaves again has moved no key in the end, in any order of the list', () => {
    const list = candidates(11);
    const before = ownersOf(list.slice(0, 10));
    expect(moves(before, ownersOf(list)).length).toBeGreaterThan(0);
    expect(moves(before, ownersOf(list.slice(0, 10).toReversed()))).toEqual([]);
  });
});

describe('weights in consistent_hash', () => {
  it('move only keys of the endpoint whose weight changes', () => {
    const list = candidates(10);
    const before = ownersOf(list);
    const after = ownersIn(poolOf(list, [2, ...list.slice(1).map(() => 1)]));
    // The share of the endpoint grows from 1 / 10 to 2 / 11.
    expectMovedTo(list[0]!.endpoint.address, moves(before, after), 2 / 11 - 1 / 10);
  });

  it('count relative to each other, on any scale', () => {
    const list = candidates(10);
    const weights = list.map((_, at) => 1 + (at % 3));
    const before = ownersIn(poolOf(list, weights));
    for (const scale of [2 ** -20, 0.01, 3, 1e6]) {
      const scaled = weights.map((weight) => weight * scale);
      expect(moves(before, ownersIn(poolOf(list, scaled)))).toEqual([]);
    }
  });
});

describe('locality with consistent_hash', () => {
  it.each(
    [3, 10, 50, 200].flatMap((own) =>
      [1, own - 1, own].flatMap((foreign) =>
        [[1], [1, 2, 5, 10]].map((weights) => ({ own, foreign, weights })),
      ),
    ),
  )(
    'an endpoint that joins another zone moves no key, one that joins the own zone moves its share: $own endpoints here, $foreign there, weights $weights',
    ({ own, foreign, weights }) => {
      const list = [...zoneOf('a', own, weights), ...zoneOf('b', foreign, weights)];
      const options = { locality: { zone: 'a' } };
      const before = ownersOf(list, options);
      const abroad = candidate('b:9999', { zone: 'b' });
      expect(moves(before, ownersOf([...list, abroad], options))).toEqual([]);
      const joined = candidate('a:9999', { zone: 'a', weight: 2 });
      const total = list.slice(0, own).reduce((sum, { weight }) => sum + weight, 2);
      const moved = moves(before, ownersOf([...list, joined], options));
      expectMovedTo('a:9999', moved, 2 / total);
    },
  );
});

describe('slow start with consistent_hash', () => {
  it('moves keys to an endpoint that joins over the window, each key once and straight from its old owner', () => {
    const fleet = new FleetLoad();
    const list = Array.from({ length: 10 }, (_, at) => candidate(`a:${at}`, {}, fleet, -1e6));
    const joined = candidate('a:99', {}, fleet, 0);
    const options = { slowStart: { windowMs: 30_000 } };
    const first = ownersOf(list);
    let before = first;
    for (const nowMs of [0, 6_000, 12_000, 18_000, 24_000, 30_000]) {
      const after = ownersOf([...list, joined], options, nowMs);
      expect(new Set(moves(before, after))).toEqual(new Set(['a:99']));
      const weight = Math.max(0.1, nowMs / 30_000);
      expectMovedTo('a:99', moves(first, after), weight / (10 + weight));
      before = after;
    }
    expect(moves(before, ownersOf([...list, joined]))).toEqual([]);
  });

  it('moves no key while the client itself is new and has seen all endpoints at the same time', () => {
    const list = candidates(10);
    const before = ownersOf(list);
    for (const nowMs of [0, 6_000, 12_000, 30_000]) {
      expect(moves(before, ownersOf(list, { slowStart: { windowMs: 30_000 } }, nowMs))).toEqual([]);
    }
  });

  it('bounds the load of an endpoint that has just joined by the weight that it has so far', () => {
    const fleet = new FleetLoad();
    const list = Array.from({ length: 10 }, (_, at) => candidate(`a:${at}`, {}, fleet, -1e6));
    const joined = candidate('a:99', {}, fleet, 0);
    const pools = compose([...list, joined], { slowStart: { windowMs: 30_000 } }, {}, 6_000);
    const context = { random: seededRandom(1), fleet };
    const picker = POLICY.createPicker(pools.stable!, context, undefined);
    const key = REQUESTS.find((request) => picker.pick(request, 0) === joined)!;
    for (let call = 0; call < 1_000; call++) picker.pick(key, 0).load.started(0);
    // The weight so far is a fifth, of 10.2 in all, and the load factor adds a quarter.
    expect(joined.load.inFlight).toBe(Math.ceil((1.25 * 1_000 * 0.2) / 10.2));
  });
});
