import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../lib/core/records/endpoint.js';
import {
  discoveredFacts,
  ResolvedList,
  resolvedEndpoints,
} from '../../../lib/grpc/resolved-endpoint.js';
import { addresses, FakeChannel, settingsOf } from './fake-channel.js';

/** Endpoints of zone a that count how often one of their fields is read. */
function countingEndpoints(count: number): { endpoints: Endpoint[]; reads: Reads } {
  const reads = { address: 0, metadata: 0 };
  const endpoints = addresses(count).map((address) => ({
    get address() {
      reads.address++;
      return address;
    },
    get metadata() {
      reads.metadata++;
      return { zone: 'a', version: '1' };
    },
  }));
  return { endpoints, reads };
}

interface Reads {
  address: number;
  metadata: number;
}

describe('resolvedEndpoints', () => {
  it('leaves out endpoints that cannot be dialled', () => {
    const endpoints = ['h:1', 'h', 'h:2'].map((address) => ({ address, metadata: null }));
    const facts = discoveredFacts(resolvedEndpoints(endpoints));
    expect(facts.map(({ endpoint }) => endpoint.address)).toEqual(['h:1', 'h:2']);
  });
});

function made(...names: readonly string[]): Endpoint[] {
  return names.map((address) => ({ address, metadata: null }));
}

describe('ResolvedList', () => {
  const [a, b, c, d] = made('a:1', 'b:1', 'c:1', 'd:1') as [Endpoint, Endpoint, Endpoint, Endpoint];
  const [bad] = made('bad') as [Endpoint];

  it.each([
    ['an endpoint joins at the end', [a, b], [a, b, c]],
    ['an endpoint joins in the middle', [a, c], [a, b, c]],
    ['an endpoint leaves at the beginning', [a, b, c], [b, c]],
    ['an endpoint takes the place of another', [a, b, c], [a, d, c]],
    ['all endpoints leave', [a, b], []],
    ['all endpoints join', [], [a, b]],
    ['nothing changes', [a, b], [a, b]],
    ['the order of the endpoints changes', [a, b, c, d], [a, c, b, d]],
    ['an endpoint that cannot be dialled joins', [a, b], [a, bad, b]],
    ['an endpoint that cannot be dialled leaves, and another joins', [a, bad, b], [a, b, c]],
    ['an endpoint that cannot be dialled stays, and another joins', [a, bad, b], [a, bad, b, c]],
    ['an endpoint is listed twice', [a, b], [a, b, a, b]],
  ])('gives the same endpoints as resolvedEndpoints if %s', (_, before, after) => {
    const list = new ResolvedList();
    expect(list.take(before)).toEqual(resolvedEndpoints(before));
    const next = list.take(after);
    expect(next).toHaveLength(resolvedEndpoints(after).length);
    for (const [place, one] of resolvedEndpoints(after).entries()) expect(next[place]).toBe(one);
    expect(list.take(before)).toEqual(resolvedEndpoints(before));
  });

  it('does not change a list that it gave before', () => {
    const list = new ResolvedList();
    const first = list.take([a, b]);
    list.take([a, c, b]);
    expect(discoveredFacts(first).map(({ endpoint }) => endpoint)).toEqual([a, b]);
  });
});

describe('discoveredFacts', () => {
  it('leaves out endpoints of other resolvers', () => {
    const [ours] = resolvedEndpoints([{ address: 'h:1', metadata: null }]);
    const facts = discoveredFacts([{ addresses: [{ host: 'h', port: 2 }] }, ours!]);
    expect(facts).toEqual([ours]);
  });

  it('gives facts whose hash depends on the seed, whatever seed was used before', () => {
    const [one] = discoveredFacts(resolvedEndpoints([{ address: 'h:1', metadata: null }]));
    const hashes = [7, 8, 7].map((seed) => one!.seededHash(seed));
    expect(hashes[0]).toBe(hashes[2]);
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  it('returns a list of our own resolver uncopied', () => {
    const list = resolvedEndpoints([{ address: 'h:1', metadata: null }]);
    expect(discoveredFacts(list)).toBe(list);
  });
});

describe('an update in which one endpoint changes', () => {
  const SIZE = 500;
  const CHANGES = 20;
  const settings = settingsOf({ policy: 'round_robin' }, { subsetSize: 8, zone: 'a' });

  it('reads no unchanged record again, and reads only the addresses of the subset again', () => {
    const { endpoints, reads } = countingEndpoints(SIZE);
    const channel = new FakeChannel();
    channel.list(resolvedEndpoints(endpoints), settings);
    const first = { ...reads };
    expect(first.metadata).toBeGreaterThan(0);
    for (let change = 0; change < CHANGES; change++) {
      const other = { address: `10.0.0.2:${change + 1}`, metadata: null };
      channel.list(resolvedEndpoints([...endpoints, other]), settings);
    }
    expect(reads.metadata).toBe(first.metadata);
    // An address is read a few times per connection and list, e.g. to find its connection, but not once per
    // endpoint.
    expect(reads.address - first.address).toBeLessThan(CHANGES * 8 * 8);
  });
});
