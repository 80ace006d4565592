import { describe, expect, it } from 'vitest';
import type { Candidate, EndpointFacts } from '../../../../lib/balance/candidate.js';
import { pickSubset } from '../../../../lib/balance/modifiers/subset.js';
import { candidate, candidates, compose } from '../fixtures.js';

const addresses = (
  list: readonly { readonly endpoint: { readonly address: string } }[],
): string[] => list.map(({ endpoint }) => endpoint.address);

/** `own` endpoints of zone a, and `foreign` endpoints of zone b. */
function zoned(own: number, foreign: number): (Candidate & EndpointFacts)[] {
  return Array.from({ length: own + foreign }, (_, at) =>
    candidate(`10.0.0.1:${at + 1}`, { zone: at < own ? 'a' : 'b' }),
  );
}

/** How many entries in the subset of a client in zone a are of zone a. */
function ownEntries(list: readonly EndpointFacts[], size: number, clientId: string): number {
  return pickSubset(list, { size, clientId, zone: 'a' }).filter(({ zone }) => zone === 'a').length;
}

describe('pickSubset', () => {
  it('changes at most one entry of any client when one server comes or goes', () => {
    const list = candidates(41);
    let changed = 0;
    for (let client = 0; client < 500; client++) {
      const options = { size: 8, clientId: `client-${client}` };
      const with41 = new Set(addresses(pickSubset(list, options)));
      const with40 = addresses(pickSubset(list.slice(0, 40), options));
      expect(with40).toHaveLength(8);
      const left = with40.filter((address) => !with41.has(address));
      expect(left.length).toBeLessThanOrEqual(1);
      // One entry has left if and only if the new server is in the subset.
      expect(with41.has(list[40]!.endpoint.address)).toBe(left.length === 1);
      changed += left.length;
    }
    // The new server is in 8 of 41 subsets. ε: 4 standard deviations of 97.6.
    expect(Math.abs(changed - (500 * 8) / 41)).toBeLessThan(36);
  });

  it('gives every server a number of clients within 15 % of the mean, for 1,000 clients per server', () => {
    const list = candidates(40);
    const clients = new Map(addresses(list).map((address) => [address, 0]));
    for (let client = 0; client < 5_000; client++) {
      for (const address of addresses(pickSubset(list, { size: 8, clientId: `pod-${client}` }))) {
        clients.set(address, clients.get(address)! + 1);
      }
    }
    for (const count of clients.values()) expect(Math.abs(count / 1_000 - 1)).toBeLessThan(0.15);
  });

  it('spreads clients with the deviation of the binomial, so clients choose independently', () => {
    const list = candidates(100);
    const clients = new Map(addresses(list).map((address) => [address, 0]));
    for (let client = 0; client < 1_000; client++) {
      for (const address of addresses(pickSubset(list, { size: 20, clientId: `${client}` }))) {
        clients.set(address, clients.get(address)! + 1);
      }
    }
    const variance =
      [...clients.values()].reduce((sum, count) => sum + (count - 200) ** 2, 0) / 100;
    // The expected variance is 200 × 0.8 = 160; the variance of a sample of 100 has a standard deviation of
    // 14 %.
    expect(variance).toBeGreaterThan(160 * 0.5);
    expect(variance).toBeLessThan(160 * 1.5);
  });

  it('chooses the same endpoints for any order of the list, and keeps that order', () => {
    const list = candidates(30);
    const options = { size: 5, clientId: 'one' };
    const chosen = addresses(pickSubset(list, options));
    expect(addresses(pickSubset(list.toReversed(), options))).toEqual(chosen.toReversed());
    expect(chosen).toEqual(addresses(list).filter((address) => chosen.includes(address)));
  });

  it('returns a whole fleet that is no larger than the subset', () => {
    const list = candidates(3);
    expect(pickSubset(list, { size: 3, clientId: 'one' })).toBe(list);
    expect(pickSubset(list, { size: 9, clientId: 'one' })).toBe(list);
  });

  it.each([
    [20, 40, 10],
    [200, 1, 10],
    [30, 30, 2],
    [4, 26, 6],
    [19, 1, 2],
  ])(
    'of %i endpoints of the own zone and %i others keeps both zones in proportion at size %i, and takes at least one other',
    (own, foreign, size) => {
      const list = zoned(own, foreign);
      const due = (size * own) / (own + foreign);
      let sum = 0;
      for (let client = 0; client < 2_000; client++) {
        const entries = ownEntries(list, size, `pod-${client}`);
        expect(Math.abs(entries - due)).toBeLessThan(1);
        expect(entries).toBeLessThan(size);
        sum += entries;
      }
      // If the last entry is kept for another zone, the own zone has that much less. ε: 4 standard deviations
      // of at most 1/2.
      expect(Math.abs(sum / 2_000 - Math.min(due, size - 1))).toBeLessThan(0.045);
    },
  );

  it('fills the subset from the own zone if there is no other, and from others if the own zone has no endpoint', () => {
    expect(ownEntries(zoned(30, 0), 6, 'one')).toBe(6);
    expect(pickSubset(zoned(0, 30), { size: 6, clientId: 'one', zone: 'a' })).toHaveLength(6);
    expect(pickSubset(zoned(20, 20), { size: 1, clientId: 'one', zone: 'a' })).toHaveLength(1);
  });

  it('changes at most one entry when a server of any zone joins, for any number of servers', () => {
    for (const size of [1, 2, 3, 10]) {
      for (let own = 0; own <= 24; own += 3) {
        for (let foreign = Math.max(0, size - own); foreign <= 24; foreign += 3) {
          const list = zoned(own, foreign);
          for (const zone of ['a', 'b']) {
            const joined = [...list, candidate('10.0.0.2:1', { zone })];
            for (let client = 0; client < 20; client++) {
              const options = { size, clientId: `${client}`, zone: 'a' };
              const after = new Set(addresses(pickSubset(joined, options)));
              const lost = addresses(pickSubset(list, options)).filter((one) => !after.has(one));
              expect(lost.length).toBeLessThanOrEqual(1);
            }
          }
        }
      }
    }
  });

  it.each([
    ['while every zone is whole', undefined, 60],
    ['when a zone is down', 'b', 40],
  ])('with locality gives every server calls within 15 % of the mean %s', (_, down, serving) => {
    const zones = ['a', 'b', 'c'];
    const list = Array.from({ length: 60 }, (_, at) =>
      candidate(`10.0.0.1:${at + 1}`, { zone: zones[at % 3]! }),
    );
    const load = new Map<string, number>();
    const clients = 12_000;
    for (let client = 0; client < clients; client++) {
      const zone = zones[client % 3]!;
      const subset = pickSubset(list, { size: 12, clientId: `pod-${client}`, zone });
      const isUsable = (one: Candidate): boolean => one.zone !== down;
      const input = {
        isReady: isUsable,
        isMissing: (one: Candidate) => !isUsable(one),
        isWeighted: false,
      };
      const { stable } = compose(subset, { locality: { zone } }, input);
      expect(stable).toBeDefined();
      const sum = stable!.weights.reduce((total, weight) => total + weight, 0);
      for (const [at, { endpoint }] of stable!.candidates.entries()) {
        const share = stable!.weights[at]! / sum;
        load.set(endpoint.address, (load.get(endpoint.address) ?? 0) + share);
      }
    }
    expect(load.size).toBe(serving);
    // A server is in the subsets of 800 clients of its zone: 4 standard deviations are 13 %.
    for (const calls of load.values()) {
      expect(Math.abs((calls * serving) / clients - 1)).toBeLessThan(0.15);
    }
  });
});

/** An endpoint without a zone that has this score for every client. */
const scored = (address: string, score: number) => ({
  endpoint: { address, metadata: null },
  zone: undefined,
  seededHash: () => score,
});

describe('pickSubset by scores', () => {
  it('takes the highest scores, and of equal scores the addresses that come first, in any order', () => {
    const list = [scored('b', 5), scored('d', 5), scored('a', 5), scored('e', 9), scored('c', 5)];
    for (const given of [list, list.toReversed(), [...list.slice(2), ...list.slice(0, 2)]]) {
      const chosen = pickSubset(given, { size: 3, clientId: 'one' });
      expect(addresses(chosen).sort()).toEqual(['a', 'b', 'e']);
    }
  });

  it('takes the highest score at size 1', () => {
    const list = [scored('a', 1), scored('b', 3), scored('c', 2)];
    expect(addresses(pickSubset(list, { size: 1, clientId: 'one' }))).toEqual(['b']);
  });

  it('at size 1 takes an endpoint of the own zone for the share of clients that the zone has of the fleet', () => {
    let own = 0;
    for (let client = 0; client < 1_000; client++) own += ownEntries(zoned(3, 3), 1, `${client}`);
    // ε: 4 standard deviations of 500.
    expect(Math.abs(own - 500)).toBeLessThan(64);
  });
});
