import { describe, expect, it } from 'vitest';
import {
  composePools,
  type PipelineInput,
  type PipelineOptions,
} from '../../../lib/balance/candidate-pipeline.js';
import type { Candidate } from '../../../lib/balance/candidate.js';
import { FleetLoad } from '../../../lib/balance/fleet-load.js';
import {
  allowsSlowStart,
  createPicker,
  createPipelinePicker,
  isWeighted,
  type Policy,
} from '../../../lib/balance/policy.js';
import { CanaryPicker } from '../../../lib/balance/routing.js';
import { seededRandom } from '../../support/seeded-random.js';
import { candidate, candidates, countPicks, PLAIN, poolOf, requestWith } from './fixtures.js';

function compose(
  list: readonly Candidate[],
  options: PipelineOptions = {},
  input: Partial<PipelineInput<Candidate>> = {},
  nowMs = 0,
) {
  const defaults = {
    isReady: () => true,
    isMissing: () => false,
    isEjected: () => false,
    isWeighted: true,
  };
  return composePools({ candidates: list, ...defaults, ...input }, options, nowMs);
}

const POLICIES: readonly Policy[] = [
  { name: 'round_robin' },
  { name: 'weighted_round_robin' },
  { name: 'random' },
  { name: 'least_request' },
  { name: 'peak_ewma' },
  { name: 'consistent_hash', keyOf: (request) => request.header('user') },
];

describe('composePools', () => {
  it('leaves ready candidates with the weights of their records, or with equal ones', () => {
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

  it('leaves out ejected candidates unless nobody else is ready', () => {
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

  it('calls nobody rather than a version that was not asked for', () => {
    const list = [candidate('a:1', { version: '1' }), candidate('b:1', { version: '2' })];
    expect(compose(list, { routing: { match: { version: '2' } } }).stable?.candidates).toEqual([
      list[1],
    ]);
    expect(compose(list, { routing: { match: { version: '3' } } }).stable).toBeUndefined();
  });

  it('sets canaries apart, and lets each side stand in for the other', () => {
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

  it('compares the own zone with all that routing left, and counts failed and ejected as missing', () => {
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

  it('keeps calls in a zone of which it has tried 64 of 1,000 when one of another zone is ready', () => {
    const list = Array.from({ length: 3_000 }, (_, at) =>
      candidate(`10.0.0.1:${at + 1}`, { zone: ['a', 'b', 'c'][at % 3]! }),
    );
    const connected = new Set(list.filter(({ zone }) => zone === 'a').slice(0, 64));
    connected.add(list.at(-1)!);
    const isReady = (one: Candidate): boolean => connected.has(one);
    const { stable } = compose(list, { locality: { zone: 'a' } }, { isReady });
    expect(stable?.candidates).toHaveLength(64);
    expect(new Set(stable?.candidates.map(({ zone }) => zone))).toEqual(new Set(['a']));
  });

  it('ramps the newest up and says when to look again', () => {
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

describe('every policy with every modifier', () => {
  const fleet = new FleetLoad();
  const at = (address: string, metadata: Record<string, string>, joinedMs = 0): Candidate =>
    candidate(address, metadata, fleet, joinedMs);
  const requests = Array.from({ length: 40_000 }, (_, call) => requestWith({ user: `u${call}` }));
  const shares = (
    policy: Policy,
    list: readonly Candidate[],
    options: PipelineOptions,
  ): number[] => {
    const pools = compose(list, options, { isWeighted: isWeighted(policy) }, 10_000);
    const context = { random: seededRandom(1), fleet };
    const picker = createPipelinePicker(policy, pools, options.routing?.canary, context)!;
    const counts = countPicks(picker, requests.length, (call) => requests[call]!);
    return list.map(({ endpoint }) => (counts.get(endpoint.address) ?? 0) / requests.length);
  };

  it.each(POLICIES)('$name keeps to the own zone and spills in proportion', (policy) => {
    // Zone a needs 3 of 9 and has 1: 1.4 / 3 stay, the rest goes to 8 others.
    const list = Array.from({ length: 9 }, (_, place) =>
      at(`10.0.0.1:${place}`, { zone: ['a', 'b', 'b', 'b', 'b', 'c', 'c', 'c', 'c'][place]! }),
    );
    const [own] = shares(policy, list, { locality: { zone: 'a' } });
    // Two choices overshoot: drawing the heavy one twice leaves one of the others to compare with.
    const tolerance = policy.name === 'consistent_hash' ? 0.1 : 0.05;
    expect(Math.abs(own! - 1.4 / 3)).toBeLessThan(tolerance);
  });

  it.each(POLICIES.filter(allowsSlowStart))(
    '$name gives one that has just joined a tenth',
    (policy) => {
      const list = Array.from({ length: 11 }, (_, place) =>
        at(`10.0.0.1:${place}`, {}, place === 0 ? 10_000 : -1e6),
      );
      const [newest] = shares(policy, list, { slowStart: { windowMs: 30_000 } });
      expect(newest! * 101).toBeGreaterThan(0.7);
      expect(newest! * 101).toBeLessThan(1.3);
    },
  );

  it.each(POLICIES)('$name sends a tenth of the calls to the canary', (policy) => {
    const list = [
      at('a:1', { version: '1' }),
      at('b:1', { version: '1' }),
      at('c:1', { version: '2' }),
    ];
    const canary = { match: { version: '2' }, share: 0.1 };
    const [, , share] = shares(policy, list, { routing: { canary } });
    expect(Math.abs(share! - 0.1)).toBeLessThan(0.01);
  });
});

describe('createPipelinePicker', () => {
  const context = { random: seededRandom(1), fleet: new FleetLoad() };
  const canary = { match: { version: '2' }, share: 0.5 };
  const list = [
    candidate('a:1', { version: '1' }),
    candidate('b:1', { version: '1' }),
    candidate('c:1', { version: '2' }),
  ];

  it('has no picker where nobody is left', () => {
    const pools = compose(list, {}, { isReady: () => false });
    expect(createPipelinePicker({ name: 'random' }, pools, undefined, context)).toBeUndefined();
  });

  it('goes on with the rotation when canaries come and go', () => {
    const policy: Policy = { name: 'round_robin' };
    const with2 = compose(list, { routing: { canary } });
    const without = compose(list.slice(0, 2), { routing: { canary } });
    let previous = createPipelinePicker(policy, without, canary, context)!;
    for (let turn = 0; turn < 10; turn++) {
      const one = previous.pick(PLAIN, 0);
      const next = createPipelinePicker(
        policy,
        with2,
        canary,
        context,
        previous,
      ) as CanaryPicker<Candidate>;
      expect(next).toBeInstanceOf(CanaryPicker);
      expect(next.stable.pick(PLAIN, 0)).not.toBe(one);
      previous = createPipelinePicker(policy, without, canary, context, next)!;
      expect(previous.pick(PLAIN, 0)).toBe(one);
      previous.pick(PLAIN, 0);
    }
  });

  it.each(POLICIES)('$name goes by the weights of records as its definition says', (policy) => {
    const heavy = candidate('h:1', { weight: 9 });
    const others = Array.from({ length: 9 }, (_, at) => candidate(`10.0.0.1:${at + 1}`));
    const pools = compose([heavy, ...others], {}, { isWeighted: isWeighted(policy) });
    const picker = createPicker(policy, pools.stable!, context);
    const counts = countPicks(picker, 9_000, (call) => requestWith({ user: `u${call}` }));
    const share = counts.get('h:1')! / 9_000;
    const isEven = policy.name === 'round_robin' || policy.name === 'random';
    expect(Math.abs(share - (isEven ? 0.1 : 0.5))).toBeLessThan(isEven ? 0.02 : 0.1);
  });
});
