import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../../../lib/balance/candidate.js';
import { WeightedSchedule } from '../../../../lib/balance/policies/weighted-schedule.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { candidates, countPicks, poolOf } from '../fixtures.js';

describe('WeightedSchedule', () => {
  it('every candidate is within 2 calls of its share after every pick, for random weights', () => {
    let furthest = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const list = candidates(2 + Math.floor(random() * 12));
      const weights = list.map(() => 0.1 + random() ** 3 * 50);
      const sum = weights.reduce((total, weight) => total + weight, 0);
      const picker = new WeightedSchedule(poolOf(list, weights), random);
      const counts = new Map<Candidate, number>(list.map((one) => [one, 0]));
      for (let picks = 1; picks <= 2_000; picks++) {
        const one = picker.pick();
        counts.set(one, counts.get(one)! + 1);
        for (const [at, other] of list.entries()) {
          const apart = Math.abs(counts.get(other)! - (picks * weights[at]!) / sum);
          furthest = Math.max(furthest, apart);
        }
      }
    }
    expect(furthest).toBeGreaterThan(0);
    expect(furthest).toBeLessThan(2);
  });

  it('the calls of a heavy candidate come at even intervals, not in a row', () => {
    const list = candidates(3);
    const picker = new WeightedSchedule(poolOf(list, [5, 1, 1]), seededRandom(1));
    let [run, longest] = [0, 0];
    for (let pick = 0; pick < 700; pick++) {
      run = picker.pick() === list[0] ? run + 1 : 0;
      longest = Math.max(longest, run);
    }
    expect(longest).toBeGreaterThan(0);
    expect(longest).toBeLessThanOrEqual(6);
  });

  it.each([[[1, 0, 3]], [[1, Number.NaN, 3]], [[1, -1, 3]], [[1, Infinity, 3]]])(
    'a candidate with an unusable weight in %j gets the mean of the others',
    (weights) => {
      const list = candidates(3);
      const counts = countPicks(new WeightedSchedule(poolOf(list, weights), () => 0.5), 600);
      expect([...list].map(({ endpoint }) => counts.get(endpoint.address)! / 100)).toEqual([
        1, 2, 3,
      ]);
    },
  );

  it('candidates share calls evenly if no weight is usable', () => {
    const counts = countPicks(
      new WeightedSchedule(poolOf(candidates(3), [0, 0, 0]), () => 0.5),
      300,
    );
    expect([...counts.values()]).toEqual([100, 100, 100]);
  });

  it('the schedule is exact even if each call has a new picker', () => {
    const random = seededRandom(4);
    const list = candidates(3);
    let picker = new WeightedSchedule(poolOf(list, [1, 2, 7]), random);
    const counts = new Map<Candidate, number>(list.map((one) => [one, 0]));
    for (let call = 0; call < 1_000; call++) {
      picker = new WeightedSchedule(poolOf(list, [1, 2, 7]), random, picker);
      const one = picker.pick();
      counts.set(one, counts.get(one)! + 1);
    }
    for (const [at, share] of [100, 200, 700].entries()) {
      expect(Math.abs(counts.get(list[at]!)! - share)).toBeLessThanOrEqual(2);
    }
  });

  it('the schedule follows a change of weights at once', () => {
    const list = candidates(2);
    const before = new WeightedSchedule(poolOf(list, [1, 9]), seededRandom(5));
    countPicks(before, 1_003);
    const after = new WeightedSchedule(poolOf(list, [9, 1]), seededRandom(6), before);
    const counts = countPicks(after, 100);
    expect(Math.abs(counts.get(list[0]!.endpoint.address)! - 90)).toBeLessThanOrEqual(2);
  });
});

it.each([1, 2, 3, 4, 5, 8, 13])(
  'the picker always takes the earliest deadline, also if it replaces a picker that has not picked yet: %i endpoints',
  (size) => {
    const list = candidates(size);
    const draw = seededRandom(size);
    const weights = list.map(() => 0.5 + draw() * 5);
    const phases = list.map(() => draw());
    let drawn = 0;
    const before = new WeightedSchedule(poolOf(list, weights), () => phases[drawn++]!);
    const picker = new WeightedSchedule(poolOf(list, weights), () => Number.NaN, before);
    const deadlines = weights.map((weight, at) => phases[at]! / weight);
    for (let pick = 0; pick < 200; pick++) {
      const next = deadlines.indexOf(Math.min(...deadlines));
      deadlines[next]! += 1 / weights[next]!;
      expect(picker.pick()).toBe(list[next]);
    }
  },
);
