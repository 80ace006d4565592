import { describe, expect, it } from 'vitest';
import {
  splitByLocality,
  type LocalityMember,
  type LocalityOptions,
} from '../../../lib/balance/locality-split.js';

/** `usable/all` endpoints of weight 1 per zone. */
function fleet(
  zones: Readonly<Record<string, readonly [usable: number, all: number]>>,
): LocalityMember[] {
  return Object.entries(zones).flatMap(([zone, [usable, all]]) =>
    Array.from({ length: all }, (_, at) => ({ zone, weight: 1, usable: at < usable })),
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
    ['all stays while the zone is whole', fleet({ a: [3, 3], b: [3, 3], c: [3, 3] }), 1],
    ['all stays while at most 29 % are missing', fleet({ a: [5, 7], b: [7, 7] }), 1],
    ['1.4 × 1/2 stays when half are missing', fleet({ a: [1, 2], b: [2, 2] }), 0.7],
    ['nothing stays when all are missing', fleet({ a: [0, 2], b: [2, 2] }), 0],
    ['nothing stays where the zone has none', fleet({ b: [2, 2] }), 0],
    ['all stays when nobody else is left', fleet({ a: [1, 4], b: [0, 4] }), 1],
    [
      'a zone too small for its clients keeps what it can take: 1.4 × 1 of 5',
      fleet({ a: [1, 1], b: [9, 9] }),
      0.28,
    ],
  ])('%s', (_, members, share) => {
    expect(ownShare(members)).toBeCloseTo(share, 9);
  });

  it('goes by a given traffic share and factor instead of even clients and 1.4', () => {
    const members = fleet({ a: [1, 1], b: [9, 9] });
    expect(ownShare(members, { trafficShare: 0.1 })).toBe(1);
    expect(ownShare(members, { overprovisioning: 1 })).toBeCloseTo(0.2, 9);
  });

  it('spreads what spills over usable endpoints of all other zones by weight', () => {
    const members: LocalityMember[] = [
      { zone: 'a', weight: 2, usable: true },
      { zone: 'a', weight: 2, usable: false },
      { zone: 'b', weight: 1, usable: true },
      { zone: undefined, weight: 3, usable: true },
      { zone: 'c', weight: 4, usable: false },
    ];
    const factors = splitByLocality(members, { zone: 'a', overprovisioning: 1 });
    // Four zones, 12 in all: the zone needs 3 and has 2.
    const total = members.reduce((sum, { weight }, at) => sum + weight * factors[at]!, 0);
    const shares = members.map(({ weight }, at) => (weight * factors[at]!) / total);
    expect(shares).toEqual([2 / 3, 0, 1 / 12, 1 / 4, 0].map((share) => expect.closeTo(share, 9)));
  });

  it('gives nobody anything when nobody is usable', () => {
    expect([...splitByLocality(fleet({ a: [0, 1], b: [0, 1] }), { zone: 'a' })]).toEqual([0, 0]);
  });
});
