import { describe, expect, it } from 'vitest';
import { finalMix, murmurHash } from '../../../../lib/balance/policies/murmur-hash.js';
import { Ring } from '../../../../lib/balance/policies/ring.js';
import { seededRandom } from '../../../support/seeded-random.js';

const POINTS = 8;
const PROBES = 21;

/** The hashes of `count` endpoints. */
const hashesOf = (count: number): number[] =>
  Array.from({ length: count }, (_, at) => murmurHash(`10.0.0.1:${at + 1}`));

const ringOf = (hashes: readonly number[], weights: readonly number[]): Ring =>
  new Ring(hashes, Float64Array.from(weights));

/** The place of a probe of a key, or of a point of an endpoint. */
const placed = (hash: number, at: number): number => finalMix(hash + Math.imul(at, 0x9e3779b9));

/** The points of a ring in the order of the circle, found without buckets. */
function pointsOf(hashes: readonly number[]): { position: number; owner: number }[] {
  return hashes
    .flatMap((hash, owner) =>
      Array.from({ length: POINTS }, (_, at) => ({ position: placed(hash, at), owner })),
    )
    .sort((one, other) => one.position - other.position);
}

/** The endpoint that a key belongs to by definition: the least weighted distance of all. */
function ownerOf(hash: number, hashes: readonly number[], weights: readonly number[]): number {
  let [nearest, least] = [0, Infinity];
  for (const { position, owner } of pointsOf(hashes)) {
    for (let probe = 0; probe < PROBES; probe++) {
      const distance = ((position - placed(hash, probe)) >>> 0) / weights[owner]!;
      if (distance < least) [nearest, least] = [owner, distance];
    }
  }
  return nearest;
}

/** How many keys each endpoint owns. */
function shares(weights: readonly number[], keys: number): number[] {
  const ring = ringOf(hashesOf(weights.length), weights);
  const counts = weights.map(() => 0);
  for (let key = 0; key < keys; key++) {
    counts[ring.owner(ring.locate(murmurHash(`user-${key}`)))]!++;
  }
  return counts;
}

describe('a key', () => {
  it.each<[string, readonly number[]]>([
    ['one endpoint', [1]],
    ['two endpoints of equal weight', [3, 3]],
    ['equal weights', Array.from({ length: 17 }, () => 1)],
    ['weights of 1 to 4', Array.from({ length: 17 }, (_, at) => (at % 4) + 1)],
    ['weights that differ little', Array.from({ length: 17 }, (_, at) => (at % 4) / 8 + 1)],
    ['one light endpoint among heavy ones', [0.001, 5, 5, 5]],
    ['one heavy endpoint among light ones', [40, ...Array.from({ length: 16 }, () => 1)]],
  ])('belongs to the endpoint with the least distance divided by weight: %s', (_, weights) => {
    const hashes = hashesOf(weights.length);
    const ring = ringOf(hashes, weights);
    for (let key = 0; key < 300; key++) {
      const hash = murmurHash(`user-${key}`);
      expect(ring.owner(ring.locate(hash))).toBe(ownerOf(hash, hashes, weights));
    }
  });

  it('belongs to the endpoint that has a point exactly at the place of a probe', () => {
    const hashes = hashesOf(20);
    const ring = ringOf(
      hashes,
      hashes.map(() => 1),
    );
    for (const [at, hash] of hashes.entries()) expect(ring.owner(ring.locate(hash))).toBe(at);
  });

  it('belongs to the same endpoint at any scale of the weights', () => {
    const weights = Array.from({ length: 30 }, (_, at) => (at % 5) + 1);
    const [small, large] = [0.25, 1_024].map((scale) =>
      ringOf(
        hashesOf(30),
        weights.map((weight) => weight * scale),
      ),
    );
    for (let key = 0; key < 1_000; key++) {
      expect(small!.locate(murmurHash(`${key}`))).toBe(large!.locate(murmurHash(`${key}`)));
    }
  });
});

describe('the share of keys', () => {
  it.each([2, 3, 10, 100])(
    'of each of %i endpoints with equal weights is at most a quarter above the mean',
    (count) => {
      const counts = shares(
        Array.from({ length: count }, () => 1),
        count * 1_000,
      );
      // The shares on the ring have a standard deviation of 5 %, and chance adds 3 %.
      const relative = counts.map((keys) => keys / 1_000);
      expect(Math.max(...relative)).toBeLessThan(1.25);
      expect(Math.min(...relative)).toBeGreaterThan(0.6);
      const variance = relative.reduce((sum, share) => sum + (share - 1) ** 2, 0) / count;
      expect(Math.sqrt(variance)).toBeLessThan(0.1);
    },
  );

  it('of an endpoint that weighs 999 times the others follows its weight, and the others have theirs', () => {
    const keys = 20_000;
    const counts = shares([999, ...Array.from({ length: 999 }, () => 1)], keys);
    // ε: 4 standard deviations of the shares on the ring.
    expect(Math.abs(counts[0]! / keys / 0.5 - 1)).toBeLessThan(0.24);
    expect(counts.filter((own) => own > 0).length).toBeGreaterThan(990);
  });

  it('follows weights of 1 to 4', () => {
    const weights = Array.from({ length: 20 }, (_, at) => (at % 4) + 1);
    const all = 50_000;
    const counts = shares(weights, all);
    for (const weight of [1, 2, 3, 4]) {
      const keys = counts.reduce((sum, one, at) => sum + (weights[at] === weight ? one : 0), 0);
      // ε: 4 standard deviations of the mean of five endpoints, with 6 % each.
      expect(Math.abs(keys / ((all * weight * 5) / 50) - 1)).toBeLessThan(0.11);
    }
  });
});

describe('the points of a ring', () => {
  it.each([1, 2, 3, 60])('stand in the order of the circle, for %i endpoints', (count) => {
    const hashes = hashesOf(count);
    const ring = ringOf(
      hashes,
      hashes.map(() => 1),
    );
    expect(ring.size).toBe(POINTS * count);
    const owners = Array.from({ length: ring.size }, (_, point) => ring.owner(point));
    expect(owners).toEqual(pointsOf(hashes).map(({ owner }) => owner));
  });

  it('begin again after the last point', () => {
    const ring = ringOf(hashesOf(5), [1, 1, 1, 1, 1]);
    for (let point = 0; point < ring.size; point++) {
      expect(ring.owner(point + ring.size)).toBe(ring.owner(point));
    }
  });

  it('may be at equal places: the endpoint that is first in the list owns their keys', () => {
    const random = seededRandom(3);
    const ring = ringOf([7, 7, 7], [1, 1, 1]);
    // Under unequal weights the points behind the first ones are compared as well.
    const uneven = ringOf([7, 7, 9], [2, 2, 3]);
    const owners = new Set<number>();
    for (let key = 0; key < 100; key++) {
      const hash = Math.floor(random() * 2 ** 32);
      expect(ring.owner(ring.locate(hash))).toBe(0);
      owners.add(uneven.owner(uneven.locate(hash)));
    }
    expect([...owners].sort()).toEqual([0, 2]);
  });
});
