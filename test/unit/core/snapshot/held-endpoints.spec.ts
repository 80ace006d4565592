import { beforeEach, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../../lib/core/records/endpoint.js';
import { HeldEndpoints } from '../../../../lib/core/snapshot/held-endpoints.js';

const endpoint = (address: string, weight = 1): Endpoint => ({ address, metadata: { weight } });

let held: HeldEndpoints;
const keys = (): string[] => [...held.entries()].map(([key]) => key);

beforeEach(() => {
  held = new HeldEndpoints();
  held.hold('a', endpoint('h:1'), 100);
  held.hold('b', endpoint('h:2'), 200);
  held.hold('c', endpoint('h:3'), 300);
});

describe('the held endpoints', () => {
  it('are none at first', () => {
    const none = new HeldEndpoints();
    expect([none.size, none.usable, none.addresses]).toEqual([0, [], []]);
    expect(none.firstSince).toBeUndefined();
    expect(none.has('h:1')).toBe(false);
  });

  it('stand in the order in which their holds began', () => {
    expect(held.size).toBe(3);
    expect(held.addresses).toEqual(['h:1', 'h:2', 'h:3']);
    expect(held.usable).toEqual(held.addresses.map((address) => endpoint(address)));
    expect([...held.entries()]).toEqual([
      ['a', endpoint('h:1')],
      ['b', endpoint('h:2')],
      ['c', endpoint('h:3')],
    ]);
    expect([held.has('h:2'), held.has('h:9')]).toEqual([true, false]);
    expect(held.firstSince).toBe(100);
  });

  it('that no client can dial are held, and are not usable', () => {
    held.hold('d', endpoint('nonsense'), 400);
    expect(held.addresses).toEqual(['h:1', 'h:2', 'h:3', 'nonsense']);
    expect(held.usable).toHaveLength(3);
  });
});

describe('a hold that begins again', () => {
  beforeEach(() => held.hold('a', endpoint('h:1', 5), 400));

  it('has the new endpoint, and the new time', () => {
    expect(held.usable[0]).toEqual(endpoint('h:1', 5));
    expect(held.size).toBe(3);
    expect(held.firstSince).toBe(200);
  });

  it('is the last to end by time', () => {
    expect(held.dropUntil(300)).toEqual(['h:2', 'h:3']);
    expect(held.dropUntil(399)).toEqual([]);
    expect(held.dropUntil(400)).toEqual(['h:1']);
  });
});

describe('drop', () => {
  it('ends the hold of a key, and returns its endpoint', () => {
    expect(held.drop('a')).toEqual(endpoint('h:1'));
    expect([keys(), held.has('h:1'), held.firstSince]).toEqual([['b', 'c'], false, 200]);
  });

  it('returns undefined for a key that is not held', () => {
    expect(held.drop('x')).toBeUndefined();
    expect(held.size).toBe(3);
  });
});

describe('dropListed', () => {
  it.each<[string, [key: string, address: string], dropped: string[], left: string[]]>([
    ['no key and no address', ['x', 'h:9'], [], ['a', 'b', 'c']],
    ['the key', ['a', 'h:1'], ['h:1'], ['b', 'c']],
    ['the key, which now has another address', ['a', 'h:9'], ['h:1'], ['b', 'c']],
    ['the address under another key', ['x', 'h:2'], ['h:2'], ['a', 'c']],
    ['the key, and the address under another key', ['a', 'h:2'], ['h:1', 'h:2'], ['c']],
  ])('ends the holds of %s', (_, [key, address], dropped, left) => {
    expect(held.dropListed(key, address)).toEqual(dropped);
    expect(keys()).toEqual(left);
  });

  it('ends every hold of an address', () => {
    held.hold('d', endpoint('h:2'), 400);
    expect(held.dropListed('x', 'h:2')).toEqual(['h:2', 'h:2']);
    expect(keys()).toEqual(['a', 'c']);
  });

  it('does nothing if no endpoint is held', () => {
    expect(new HeldEndpoints().dropListed('a', 'h:1')).toEqual([]);
  });
});

describe('dropUnless', () => {
  it('ends the holds of the endpoints that are not wanted', () => {
    expect(held.dropUnless(({ address }) => address === 'h:2')).toEqual(['h:1', 'h:3']);
    expect([keys(), held.firstSince]).toEqual([['b'], 200]);
  });

  it('changes nothing if all are wanted: the list stays the same array', () => {
    const { usable } = held;
    expect(held.dropUnless(() => true)).toEqual([]);
    expect(held.usable).toBe(usable);
  });
});

describe('dropUntil', () => {
  it.each<[latest: number, dropped: string[], firstSince: number | undefined]>([
    [99, [], 100],
    [100, ['h:1'], 200],
    [250, ['h:1', 'h:2'], 300],
    [300, ['h:1', 'h:2', 'h:3'], undefined],
  ])('with %i ends the holds of %j', (latest, dropped, firstSince) => {
    expect(held.dropUntil(latest)).toEqual(dropped);
    expect([held.size, held.firstSince]).toEqual([3 - dropped.length, firstSince]);
  });
});

it('restart lets the time of every hold begin anew', () => {
  held.restart(1_000);
  expect([held.firstSince, held.dropUntil(999)]).toEqual([1_000, []]);
  expect(held.dropUntil(1_000)).toEqual(['h:1', 'h:2', 'h:3']);
});
