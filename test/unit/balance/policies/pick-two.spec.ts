import { describe, expect, it } from 'vitest';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import { leastRequestLoad } from '../../../../lib/balance/policies/least-request.js';
import { PickTwo } from '../../../../lib/balance/policies/pick-two.js';
import { RandomChoice } from '../../../../lib/balance/policies/random-choice.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { candidates, countPicks, PLAIN, poolOf } from '../fixtures.js';

describe('PickTwo with leastRequestLoad', () => {
  it('spreads n open calls over n endpoints with at most 4 on one, where one random choice leads to 6 and more', () => {
    // Mitzenmacher, for n = 2,000: ln ln n / ln 2 + O(1) is 2.9 + O(1); with one choice ln n / ln ln n + O(1)
    // is 3.7 + O(1).
    const fullest = { one: 0, two: 0 };
    for (const kind of ['one', 'two'] as const) {
      const random = seededRandom(1);
      const list = candidates(2_000);
      const pool = poolOf(list);
      const picker =
        kind === 'one'
          ? new RandomChoice(pool, random)
          : new PickTwo(pool, leastRequestLoad, random);
      for (let call = 0; call < list.length; call++) picker.pick(PLAIN, 0).load.started(0);
      fullest[kind] = Math.max(...list.map(({ load }) => load.inFlight));
    }
    expect(fullest.two).toBeLessThanOrEqual(4);
    expect(fullest.one).toBeGreaterThanOrEqual(6);
  });

  it('never takes the busier of two endpoints, whichever is drawn first', () => {
    const [full, empty] = candidates(2);
    full!.load.started(0);
    const picker = new PickTwo(poolOf([full!, empty!]), leastRequestLoad, seededRandom(2));
    for (let call = 0; call < 200; call++) expect(picker.pick(PLAIN, 0)).toBe(empty);
  });

  it('compares two different endpoints: it never takes the busiest of three', () => {
    const list = candidates(3);
    list[1]!.load.started(0);
    const picker = new PickTwo(poolOf(list), leastRequestLoad, seededRandom(3));
    const counts = countPicks(picker, 3_000);
    expect(counts.get(list[1]!.endpoint.address)).toBeUndefined();
    // ε = 6 %: 3.3 standard deviations of 1,500.
    expect(Math.abs(counts.get(list[0]!.endpoint.address)! - 1_500)).toBeLessThan(90);
  });

  it('shares calls by weight if all are idle: a weight of 3 among 30 weights of 1 gets 3 times the mean of the others', () => {
    const list = candidates(31);
    const picker = new PickTwo(
      poolOf(list, [3, ...list.slice(1).map(() => 1)]),
      leastRequestLoad,
      seededRandom(4),
    );
    const counts = countPicks(picker, 33_000);
    // ε = 7 %: 4 standard deviations of 3,000.
    expect(Math.abs(counts.get(list[0]!.endpoint.address)! - 3_000)).toBeLessThan(210);
  });

  it('shares calls by weight if all are busy: open calls settle at 1 : 3', () => {
    const list = candidates(2);
    const picker = new PickTwo(poolOf(list, [1, 3]), leastRequestLoad, seededRandom(5));
    for (let call = 0; call < 400; call++) picker.pick(PLAIN, 0).load.started(0);
    expect(Math.abs(list[0]!.load.inFlight - 100)).toBeLessThanOrEqual(1);
  });

  it('counts open streams as load', () => {
    const fleet = new FleetLoad();
    const [streaming, idle] = candidates(2, fleet);
    streaming!.load.started(0, false);
    expect(leastRequestLoad(streaming!.load, 1, 0)).toBe(1);
    expect(fleet.inFlight).toBe(1);
    const picker = new PickTwo(poolOf([streaming!, idle!]), leastRequestLoad, seededRandom(6));
    expect(picker.pick(PLAIN, 0)).toBe(idle);
    streaming!.load.ended(9_000, 0, 'success', false);
    expect([leastRequestLoad(streaming!.load, 1, 0), fleet.inFlight]).toEqual([0, 0]);
  });

  it('picks the only endpoint', () => {
    const [only] = candidates(1);
    expect(new PickTwo(poolOf([only!]), leastRequestLoad, seededRandom(7)).pick(PLAIN, 0)).toBe(
      only,
    );
  });
});

it('a further attempt under least_request goes to the least loaded of the other endpoints', () => {
  const [failing, busy, busier] = candidates(3);
  busy!.load.started(0);
  for (let call = 0; call < 2; call++) busier!.load.started(0);
  const pool = poolOf([failing!, busier!, busy!]);
  const picker = new PickTwo(pool, leastRequestLoad, seededRandom(2));
  expect(picker.pickOther(PLAIN, 0, (one) => one !== failing)).toBe(busy);
  expect(picker.pickOther(PLAIN, 0, () => false)).toBeUndefined();
});

it('a tie goes to the candidate that was drawn first: idle endpoints share calls by weight', () => {
  const list = candidates(2);
  const picker = new PickTwo(poolOf(list, [1, 9]), leastRequestLoad, seededRandom(8));
  const heavy = countPicks(picker, 10_000).get(list[1]!.endpoint.address)!;
  expect(Math.abs(heavy - 9_000)).toBeLessThan(120);
});

it('a further attempt goes to the first of the least loaded endpoints', () => {
  const [a, b, c] = candidates(3);
  a!.load.started(0);
  const picker = new PickTwo(poolOf([a!, b!, c!]), leastRequestLoad, seededRandom(9));
  expect(picker.pickOther(PLAIN, 0, () => true)).toBe(b);
});
