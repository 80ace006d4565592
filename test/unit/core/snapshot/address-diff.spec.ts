import { expect, it } from 'vitest';
import { diffAddresses } from '../../../../lib/core/snapshot/address-diff.js';
import { seededRandom } from '../../../support/seeded-random.js';

const list = (...addresses: string[]) => addresses.map((address) => ({ address, metadata: null }));

it.each([
  [[], [], [], []],
  [[], ['a', 'b'], ['a', 'b'], []],
  [['a', 'b'], [], [], ['a', 'b']],
  [['a', 'b', 'c'], ['a', 'x', 'c'], ['x'], ['b']],
  [['a', 'b', 'c'], ['a', 'b', 'c'], [], []],
  [['a', 'b'], ['b', 'a'], [], []],
  [['a', 'b', 'c'], ['a', 'c'], [], ['b']],
] as const)('of %j and %j: +%j −%j', (before, after, added, removed) => {
  expect(diffAddresses(list(...before), list(...after))).toEqual({ added, removed });
});

it('is that of the sets, whatever the lists', () => {
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
