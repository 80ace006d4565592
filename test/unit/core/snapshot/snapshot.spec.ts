import { describe, expect, it } from 'vitest';
import type { Random } from '../../../../lib/core/clock.js';
import type { Endpoint, JsonValue } from '../../../../lib/core/records/endpoint.js';
import {
  diffAddresses,
  diffSnapshots,
  isEmptyChange,
  sameEndpoint,
  sameEndpoints,
  type Snapshot,
  type SnapshotChange,
} from '../../../../lib/core/snapshot/snapshot.js';
import { seededRandom } from '../../../support/seeded-random.js';

const endpoint = (address: string, metadata: JsonValue = null): Endpoint => ({ address, metadata });

/** The snapshot that a change makes of another snapshot. */
function applyChange(snapshot: Snapshot, { put, removed }: SnapshotChange): Snapshot {
  return new Map([...[...snapshot].filter(([key]) => !removed.includes(key)), ...put]);
}

function randomSnapshot(random: Random): Snapshot {
  const pick = (count: number): number => Math.floor(random() * count);
  const metadata: readonly JsonValue[] = [
    null,
    { a: 1 },
    { a: 1, b: [2] },
    { b: [2], a: 1 },
    'x',
    0,
    -0,
  ];
  return new Map(
    Array.from({ length: pick(12) }, () => [
      `api/${pick(15)}`,
      endpoint(`h:${1 + pick(5)}`, metadata[pick(metadata.length)]),
    ]),
  );
}

const byKey = (snapshot: Snapshot): [string, Endpoint][] =>
  [...snapshot].sort(([left], [right]) => (left < right ? -1 : 1));

function isSameByValue(left: Snapshot, right: Snapshot): boolean {
  const [one, other] = [byKey(left), byKey(right)];
  return (
    one.length === other.length &&
    one.every(([key, value], index) => {
      const [otherKey, otherValue] = other[index] ?? ['', endpoint('')];
      return key === otherKey && sameEndpoint(value, otherValue);
    })
  );
}

describe('diffSnapshots', () => {
  it('returns the change that leads from any snapshot to any other', () => {
    const random = seededRandom(5);
    for (let round = 0; round < 3_000; round++) {
      const [before, after] = [randomSnapshot(random), randomSnapshot(random)];
      const change = diffSnapshots(before, after);
      const reached = applyChange(before, change);
      expect(isSameByValue(reached, after)).toBe(true);
      expect(isEmptyChange(diffSnapshots(reached, after))).toBe(true);
      expect(isEmptyChange(change)).toBe(isSameByValue(before, after));
    }
  });

  it('returns exactly the added, changed and removed keys', () => {
    const before = new Map([
      ['a', endpoint('h:1')],
      ['b', endpoint('h:2', { weight: 1 })],
      ['c', endpoint('h:3')],
    ]);
    const after = new Map([
      ['a', endpoint('h:1')],
      ['b', endpoint('h:2', { weight: 2 })],
      ['d', endpoint('h:4')],
    ]);
    const { put, removed } = diffSnapshots(before, after);
    expect([...put]).toEqual([
      ['b', endpoint('h:2', { weight: 2 })],
      ['d', endpoint('h:4')],
    ]);
    expect(removed).toEqual(['c']);
  });
});

describe('sameEndpoint', () => {
  it('compares by value, in any order of the fields', () => {
    expect(sameEndpoint(endpoint('h:1', { a: 1, b: [2] }), endpoint('h:1', { b: [2], a: 1 }))).toBe(
      true,
    );
    expect(sameEndpoint(endpoint('h:1', { a: 1 }), endpoint('h:1', { a: '1' }))).toBe(false);
    expect(sameEndpoint(endpoint('h:1', [1, 2]), endpoint('h:1', [2, 1]))).toBe(false);
    expect(sameEndpoint(endpoint('h:1', null), endpoint('h:1', {}))).toBe(false);
    expect(sameEndpoint(endpoint('h:1'), endpoint('h:2'))).toBe(false);
  });

  it('compares discovery: an absent discovery differs from an empty one', () => {
    const metadata = { a: 1 };
    const all = { weight: 2, version: '1', zone: 'a', maxConnectionAgeMs: 400, draining: true };
    const one = { ...endpoint('h:1', metadata), discovery: all };
    expect(sameEndpoint(one, { ...one, discovery: { ...all } })).toBe(true);
    for (const field of Object.keys(all)) {
      const { [field as keyof typeof all]: _, ...discovery } = all;
      expect(sameEndpoint(one, { ...one, discovery })).toBe(false);
    }
    const silent = { ...endpoint('h:1', metadata), discovery: {} };
    expect(sameEndpoint(silent, endpoint('h:1', metadata))).toBe(false);
    expect(sameEndpoint(endpoint('h:1', metadata), silent)).toBe(false);
    expect(sameEndpoint(silent, { ...silent, metadata: { a: 1 } })).toBe(true);
    expect(sameEndpoint(silent, { ...silent, metadata: { a: 2 } })).toBe(false);
  });

  it('returns false for another process at the same address', () => {
    const [one, other] = ['1', '2'].map((incarnation) => ({ ...endpoint('h:1'), incarnation }));
    expect(one && other && sameEndpoint(one, other)).toBe(false);
    expect(one && sameEndpoint(one, { ...one })).toBe(true);
    expect(one && sameEndpoint(one, endpoint('h:1'))).toBe(false);
  });

  it('sameEndpoints returns false for another order', () => {
    const [one, two] = [endpoint('h:1'), endpoint('h:2')];
    expect(sameEndpoints([one, two], [endpoint('h:1'), endpoint('h:2')])).toBe(true);
    expect(sameEndpoints([one, two], [two, one])).toBe(false);
    expect(sameEndpoints([one], [one, two])).toBe(false);
    expect(sameEndpoints([], [])).toBe(true);
  });
});

const list = (...addresses: string[]) => addresses.map((address) => endpoint(address));

describe('diffAddresses', () => {
  it.each([
    [[], [], [], []],
    [[], ['a', 'b'], ['a', 'b'], []],
    [['a', 'b'], [], [], ['a', 'b']],
    [['a', 'b', 'c'], ['a', 'x', 'c'], ['x'], ['b']],
    [['a', 'b', 'c'], ['a', 'b', 'c'], [], []],
    [['a', 'b'], ['b', 'a'], [], []],
    [['a', 'b', 'c'], ['a', 'c'], [], ['b']],
  ] as const)('of %j and %j adds %j and removes %j', (before, after, added, removed) => {
    expect(diffAddresses(list(...before), list(...after))).toEqual({ added, removed });
  });

  it('equals the difference of the two sets for random lists', () => {
    const random = seededRandom(5);
    const draw = () => {
      const all = Array.from({ length: 12 }, (_, index) => `h:${index}`);
      return all.filter(() => random() < 0.5);
    };
    for (let round = 0; round < 500; round++) {
      const [before, after] = [draw(), draw()];
      expect(diffAddresses(list(...before), list(...after))).toEqual({
        added: after.filter((address) => !before.includes(address)),
        removed: before.filter((address) => !after.includes(address)),
      });
    }
  });
});
