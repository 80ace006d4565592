import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../../lib/balance/candidate.js';
import { FleetLoad } from '../../../lib/balance/load/fleet-load.js';
import { candidate, candidates, compose, poolOf } from './fixtures.js';

describe('composePools', () => {
  it('ready candidates have the weights of their records, or equal weights if the policy uses none', () => {
    const list = [
      candidate('a:1', { weight: 3 }),
      candidate('b:1'),
      candidate('c:1', { weight: 5 }),
    ];
    const isReady = (one: Candidate): boolean => one !== list[1];
    const weighted = compose(list, {}, { isReady });
    expect(weighted.stable).toEqual(poolOf([list[0]!, list[2]!], [3, 5]));
    expect(weighted).toMatchObject({ canary: undefined, recomputeMs: undefined });
    expect(compose(list, {}, { isReady, isWeighted: false }).stable?.weights).toEqual(
      Float64Array.of(1, 1),
    );
  });

  it('ejected candidates are left out, unless no other candidate is ready', () => {
    const list = candidates(3);
    const isEjected = (one: Candidate): boolean => one !== list[2];
    expect(compose(list, {}, { isEjected }).stable?.candidates).toEqual([list[2]]);
    const isReady = (one: Candidate): boolean => one !== list[2];
    expect(compose(list, {}, { isEjected, isReady }).stable?.candidates).toEqual([
      list[0],
      list[1],
    ]);
    expect(compose(list, {}, { isReady: () => false }).stable).toBeUndefined();
  });

  it('there is no pool if routing matches no endpoint, whatever other versions are ready', () => {
    const list = [candidate('a:1', { version: '1' }), candidate('b:1', { version: '2' })];
    expect(compose(list, { routing: { match: { version: '2' } } }).stable?.candidates).toEqual([
      list[1],
    ]);
    expect(compose(list, { routing: { match: { version: '3' } } }).stable).toBeUndefined();
  });

  it('canaries have a pool of their own; if one of the two pools is empty, the other takes all calls', () => {
    const list = [candidate('a:1', { version: '1' }), candidate('b:1', { version: '2' })];
    const routing = { canary: { match: { version: '2' }, share: 0.1 } };
    const both = compose(list, { routing });
    expect(both.stable?.candidates).toEqual([list[0]]);
    expect(both.canary?.candidates).toEqual([list[1]]);
    const onlyStable = compose([list[0]!], { routing });
    expect([onlyStable.stable?.candidates, onlyStable.canary]).toEqual([[list[0]], undefined]);
    const onlyCanary = compose([list[1]!], { routing });
    expect([onlyCanary.stable?.candidates, onlyCanary.canary]).toEqual([[list[1]], undefined]);
  });

  it('locality compares the own zone with all endpoints that routing left; failed and ejected ones count as missing', () => {
    const list = [
      candidate('a:1', { zone: 'a', version: '2' }),
      candidate('a:2', { zone: 'a', version: '2' }),
      candidate('b:1', { zone: 'b', version: '2' }),
      candidate('b:2', { zone: 'b', version: '2' }),
      candidate('c:1', { zone: 'c', version: '1' }),
    ];
    const options = { locality: { zone: 'a' }, routing: { match: { version: '2' } } };
    expect(compose(list, options).stable?.candidates).toEqual([list[0], list[1]]);
    const isFirst = (one: Candidate): boolean => one === list[0];
    const isReady = (one: Candidate): boolean => one !== list[0];
    for (const input of [{ isReady, isMissing: isFirst }, { isEjected: isFirst }]) {
      const { stable } = compose(list, options, input);
      expect(stable?.candidates).toEqual([list[1], list[2], list[3]]);
      const [own, ...others] = stable!.weights;
      expect(own! / (own! + others[0]! + others[1]!)).toBeCloseTo(0.7, 9);
      expect(others[0]).toBe(others[1]);
    }
    expect(compose(list, options, { isReady }).stable).toEqual(poolOf([list[1]!]));
  });

  it('locality counts the weights of the records only for a policy that picks by them', () => {
    const list = [
      candidate('a:1', { zone: 'a', weight: 3 }),
      candidate('a:2', { zone: 'a', weight: 1 }),
      candidate('b:1', { zone: 'b', weight: 4 }),
    ];
    const options = { locality: { zone: 'a', overprovisioning: 1 } };
    const isReady = (one: Candidate): boolean => one !== list[1];
    const ownShareOf = (isWeighted: boolean): number => {
      const input = { isReady, isMissing: (one: Candidate) => one === list[1], isWeighted };
      const [own, other] = compose(list, options, input).stable!.weights;
      return own! / (own! + other!);
    };
    // Zone a needs half of the fleet: 3 of 4 by weight, 1 of 1.5 by number.
    expect(ownShareOf(true)).toBeCloseTo(0.75, 9);
    expect(ownShareOf(false)).toBeCloseTo(2 / 3, 9);
  });

  it('calls stay in a zone of 1,000 endpoints of which only 64 were tried, although an endpoint of another zone is ready', () => {
    const list = Array.from({ length: 3_000 }, (_, at) =>
      candidate(`10.0.0.1:${at + 1}`, { zone: ['a', 'b', 'c'][at % 3]! }),
    );
    const connected = new Set<Candidate>(list.filter(({ zone }) => zone === 'a').slice(0, 64));
    connected.add(list.at(-1)!);
    const isReady = (one: Candidate): boolean => connected.has(one);
    const { stable } = compose(list, { locality: { zone: 'a' } }, { isReady });
    expect(stable?.candidates).toHaveLength(64);
    expect(new Set(stable?.candidates.map(({ zone }) => zone))).toEqual(new Set(['a']));
  });

  it('slow start raises the weight of the newest endpoint, and says when to compose the pools again', () => {
    const fleet = new FleetLoad();
    const list = [
      candidate('a:1', { weight: 2 }, fleet, 0),
      candidate('b:1', { weight: 4 }, fleet, 100_000),
    ];
    const options = { slowStart: { windowMs: 10_000 } };
    expect([...compose(list, options, {}, 105_000).stable!.weights]).toEqual([2, 2]);
    expect(compose(list, options, {}, 105_000).recomputeMs).toBe(500);
    expect([...compose(list, options, {}, 110_000).stable!.weights]).toEqual([2, 4]);
    expect(compose(list, options, {}, 110_000).recomputeMs).toBeUndefined();
    expect(compose([], options).recomputeMs).toBeUndefined();
  });
});
