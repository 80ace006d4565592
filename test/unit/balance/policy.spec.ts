import { describe, expect, it } from 'vitest';
import type { PipelineOptions } from '../../../lib/balance/candidate-pipeline.js';
import type { Candidate } from '../../../lib/balance/candidate.js';
import { FleetLoad } from '../../../lib/balance/load/fleet-load.js';
import { configurePolicy, createPipelinePicker, type Policy } from '../../../lib/balance/policy.js';
import { BUILT_IN_POLICIES } from '../../../lib/balance/policy-table.js';
import type { PickRequest } from '../../../lib/balance/picker.js';
import { CanaryPicker } from '../../../lib/balance/modifiers/routing.js';
import { seededRandom } from '../../support/seeded-random.js';
import { candidate, compose, countPicks, PLAIN, policyOf, requestWith } from './fixtures.js';

const POLICIES: readonly Policy[] = BUILT_IN_POLICIES.map((definition) =>
  configurePolicy(definition, { hashKey: (request: PickRequest) => request.header('user') }),
);

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
    const pools = compose(list, options, { isWeighted: policy.usesWeight }, 10_000);
    const context = { random: seededRandom(1), fleet };
    const picker = createPipelinePicker(policy, pools, options.routing?.canary, context)!;
    const counts = countPicks(picker, requests.length, (call) => requests[call]!);
    return list.map(({ endpoint }) => (counts.get(endpoint.address) ?? 0) / requests.length);
  };

  it.each(POLICIES)(
    '$name keeps calls in the own zone, and sends the rest to other zones in proportion',
    (policy) => {
      // Zone a needs 3 of 9 and has 1: a share of 1.4 / 3 stays, the rest goes to 8 other endpoints.
      const list = Array.from({ length: 9 }, (_, place) =>
        at(`10.0.0.1:${place}`, { zone: ['b', 'b', 'b', 'b', 'a', 'c', 'c', 'c', 'c'][place]! }),
      );
      const own = shares(policy, list, { locality: { zone: 'a' } })[4];
      // pick_first has one connection, to the own zone: its calls cannot be divided.
      const expected = policy.name === 'pick_first' ? 1 : 1.4 / 3;
      // A policy with two choices exceeds the share: it compares the heavy endpoint, if drawn twice, with
      // another one.
      const tolerance = policy.name === 'consistent_hash' ? 0.1 : 0.05;
      expect(Math.abs(own! - expected)).toBeLessThan(tolerance);
    },
  );

  it.each(POLICIES)(
    '$name gives an endpoint that has just joined a tenth of a share, or no call',
    (policy) => {
      const list = Array.from({ length: 11 }, (_, place) =>
        at(`10.0.0.1:${place}`, {}, place === 0 ? 10_000 : -1e6),
      );
      const [newest] = shares(policy, list, { slowStart: { windowMs: 30_000 } });
      const expected = policy.name === 'pick_first' ? 0 : 1;
      expect(Math.abs(newest! * 101 - expected)).toBeLessThan(0.3);
    },
  );

  it.each(POLICIES)('$name calls no endpoint that is ejected or does not match', (policy) => {
    const list = ['1', '2', '2', '2'].map((version, place) => at(`a:${place}`, { version }));
    const input = {
      isEjected: (one: Candidate) => one === list[1],
      isWeighted: policy.usesWeight,
    };
    const pools = compose(list, { routing: { match: { version: '2' } } }, input);
    const context = { random: seededRandom(1), fleet };
    const picker = createPipelinePicker(policy, pools, undefined, context)!;
    const called = countPicks(picker, 1_000, (call) => requests[call]!);
    expect([...called.keys()].sort()).toEqual(
      policy.name === 'pick_first' ? ['a:2'] : ['a:2', 'a:3'],
    );
  });

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

  it('returns no picker if the modifiers left no endpoint', () => {
    const pools = compose(list, {}, { isReady: () => false });
    expect(createPipelinePicker(policyOf('random'), pools, undefined, context)).toBeUndefined();
  });

  it('peak_ewma compares the calls in flight of an endpoint with its pool, and not with canaries', () => {
    const fleet = new FleetLoad();
    const [crowded, idle, busyCanary] = ['a:1', 'b:1', 'c:1'].map((address) =>
      candidate(address, { version: address === 'c:1' ? '2' : '1' }, fleet),
    );
    for (const [one, latencyMs] of [
      [crowded!, 10],
      [idle!, 11],
    ] as const) {
      one.load.started(0);
      one.load.ended(latencyMs, 0, 'success');
    }
    for (let call = 0; call < 50; call++) crowded!.load.started(11);
    for (let call = 0; call < 10_000; call++) busyCanary!.load.started(11);
    const routing = { canary: { match: { version: '2' } } };
    const pools = compose([crowded!, idle!, busyCanary!], { routing });
    const picker = createPipelinePicker(policyOf('peak_ewma'), pools, routing.canary, {
      random: seededRandom(1),
      fleet,
    })!;
    for (let call = 0; call < 20; call++) expect(picker.pick(PLAIN, 11)).toBe(idle);
  });

  it('the rotation goes on when canaries join and leave', () => {
    const policy = policyOf('round_robin');
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

  it.each(POLICIES)('$name uses the weights of records if its definition says so', (policy) => {
    const heavy = candidate('h:1', { weight: 9 });
    const others = Array.from({ length: 9 }, (_, at) => candidate(`10.0.0.1:${at + 1}`));
    const pools = compose([...others, heavy], {}, { isWeighted: policy.usesWeight });
    const picker = policy.createPicker(pools.stable!, context, undefined);
    const counts = countPicks(picker, 9_000, (call) => requestWith({ user: `u${call}` }));
    const share = (counts.get('h:1') ?? 0) / 9_000;
    const even = { pick_first: 0, round_robin: 0.1, random: 0.1 }[policy.name];
    expect(Math.abs(share - (even ?? 0.5))).toBeLessThan(even === undefined ? 0.1 : 0.02);
  });
});
