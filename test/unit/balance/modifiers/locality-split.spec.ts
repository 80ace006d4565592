import { describe, expect, it } from 'vitest';
import {
  splitByLocality,
  type LocalityMember,
  type LocalityOptions,
} from '../../../../lib/balance/modifiers/locality-split.js';

/**
 * Endpoints of weight 1. Of the `all` endpoints of each zone the first `usable` are usable, the next
 * `untried` were not tried yet, and the others are missing.
 */
function fleet(
  zones: Readonly<Record<string, readonly [usable: number, all: number, untried?: number]>>,
): LocalityMember[] {
  return Object.entries(zones).flatMap(([zone, [usable, all, untried = 0]]) =>
    Array.from({ length: all }, (_, at) => ({
      zone,
      weight: 1,
      standing: at < usable ? 'usable' : at < usable + untried ? 'untried' : 'missing',
    })),
  );
}

/** The share of calls that stays in zone a. */
function ownShare(
  members: readonly LocalityMember[],
  options: Partial<LocalityOptions> = {},
): number {
  const factors = splitByLocality(members, { zone: 'a', ...options });
  let own = 0;
  let all = 0;
  for (const [at, { zone, weight }] of members.entries()) {
    all += factors[at]! * weight;
    if (zone === 'a') own += factors[at]! * weight;
  }
  return own / all;
}

describe('splitByLocality', () => {
  it.each([
    ['all calls stay while the zone is whole', fleet({ a: [3, 3], b: [3, 3], c: [3, 3] }), 1],
    [
      'all calls stay while at most 29 % of the zone are missing',
      fleet({ a: [5, 7], b: [7, 7] }),
      1,
    ],
    [
      '1.4 × 1/2 of the calls stay when half of the zone is missing',
      fleet({ a: [1, 2], b: [2, 2] }),
      0.7,
    ],
    ['no call stays when the whole zone is missing', fleet({ a: [0, 2], b: [2, 2] }), 0],
    ['no call stays if the zone has no endpoint', fleet({ b: [2, 2] }), 0],
    ['all calls stay when no other zone has a usable endpoint', fleet({ a: [1, 4], b: [0, 4] }), 1],
    [
      'a zone too small for its clients keeps what it can take: 1.4 × 1 of 5',
      fleet({ a: [1, 1], b: [9, 9] }),
      0.28,
    ],
    [
      'all calls stay while no endpoint is known to be missing: 64 of 1,000 tried, all usable',
      fleet({ a: [64, 1_000, 936], b: [1, 1_000, 999], c: [0, 1_000, 1_000] }),
      1,
    ],
    [
      'endpoints that were not tried are not missing: 1.4 × 1/2 of the calls stay when a half failed',
      fleet({ a: [1, 10, 4], b: [10, 10] }),
      0.7,
    ],
    [
      'no call stays while no endpoint of the zone is usable yet',
      fleet({ a: [0, 5, 5], b: [2, 5] }),
      0,
    ],
    [
      'all calls stay while no endpoint of another zone is usable yet',
      fleet({ a: [1, 5], b: [0, 5, 5] }),
      1,
    ],
  ])('%s', (_, members, share) => {
    expect(ownShare(members)).toBeCloseTo(share, 9);
  });

  it('trafficShare replaces the assumption that clients are spread evenly, and overprovisioning the default 1.4', () => {
    const members = fleet({ a: [1, 1], b: [9, 9] });
    expect(ownShare(members, { trafficShare: 0.1 })).toBe(1);
    expect(ownShare(members, { overprovisioning: 1 })).toBeCloseTo(0.2, 9);
  });

  it('calls that leave the zone are spread by weight over the usable endpoints of all other zones', () => {
    const members: LocalityMember[] = [
      { zone: 'a', weight: 2, standing: 'usable' },
      { zone: 'a', weight: 2, standing: 'missing' },
      { zone: 'b', weight: 1, standing: 'usable' },
      { zone: undefined, weight: 3, standing: 'usable' },
      { zone: 'c', weight: 4, standing: 'missing' },
    ];
    const factors = splitByLocality(members, { zone: 'a', overprovisioning: 1 });
    // Four zones with a weight of 12 in all: zone a needs 3 and has 2.
    const total = members.reduce((sum, { weight }, at) => sum + weight * factors[at]!, 0);
    const shares = members.map(({ weight }, at) => (weight * factors[at]!) / total);
    expect(shares).toEqual([2 / 3, 0, 1 / 12, 1 / 4, 0].map((share) => expect.closeTo(share, 9)));
  });

  it('the endpoints of a zone that keeps all its calls have exactly their own weights, whatever other endpoints there are', () => {
    for (const others of [0, 1, 4]) {
      const factors = splitByLocality(fleet({ a: [3, 3], b: [others, others] }), { zone: 'a' });
      expect(factors.slice(0, 3)).toEqual(Float64Array.of(1, 1, 1));
      expect(factors.slice(3).every((factor) => factor === 0)).toBe(true);
    }
    expect([...splitByLocality(fleet({ a: [0, 1], b: [2, 2] }), { zone: 'a' })]).toEqual([0, 1, 1]);
  });

  it('no endpoint gets more than its whole weight', () => {
    for (let own = 1; own <= 9; own++) {
      const factors = splitByLocality(fleet({ a: [own, 9], b: [3, 9], c: [9, 9] }), { zone: 'a' });
      expect(Math.max(...factors)).toBe(1);
    }
  });

  it('all weights are 0 when no endpoint is usable', () => {
    expect([...splitByLocality(fleet({ a: [0, 1], b: [0, 1] }), { zone: 'a' })]).toEqual([0, 0]);
  });
});
