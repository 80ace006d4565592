import { describe, expect, it } from 'vitest';
import {
  contains,
  fromByteKey,
  toByteKey,
  toByteRange,
} from '../../../../../lib/testing/embedded-etcd/store/byte-range.js';
import {
  SortedKeys,
  lowerBound,
} from '../../../../../lib/testing/embedded-etcd/store/sorted-keys.js';
import { seededRandom } from '../../../../support/seeded-random.js';

/** The keys of a set of a few keys that are in a range. */
function within(key: string, end: string): string {
  const range = toByteRange(Buffer.from(key), Buffer.from(end));
  const held = ['a', 'a\0', 'ab', 'b', 'c'].filter((name) => contains(range, name));
  return held.map((name) => JSON.stringify(name)).join();
}

describe('byte keys', () => {
  it('hold any bytes, and sort in the order of these bytes', () => {
    const all = Array.from({ length: 256 }, (_, byte) => Buffer.from([byte, 1]));
    for (const bytes of all) expect(fromByteKey(toByteKey(bytes))).toEqual(bytes);
    const keys = all.map(toByteKey);
    expect([...keys].sort((a, b) => (a < b ? -1 : 1))).toEqual(keys);
  });

  it('make ranges as etcd reads them', () => {
    expect(within('a', '')).toBe('"a"');
    expect(within('a', 'b')).toBe('"a","a\\u0000","ab"');
    expect(within('ab', '\0')).toBe('"ab","b","c"');
    expect(within('c', 'a')).toBe('');
  });
});

describe('SortedKeys', () => {
  it('finds the keys of a range in order, however they were added', () => {
    const random = seededRandom(1);
    const keys = new SortedKeys();
    const plain: string[] = [];
    for (let i = 0; i < 500; i++) {
      const key = random().toString(36).slice(2);
      keys.add(key);
      plain.push(key);
    }
    plain.sort();
    const all = { start: '', end: undefined, single: false };
    expect(keys.slice(all)).toEqual(plain);
    expect(keys.slice({ start: 'd', end: 'm', single: false })).toEqual(
      plain.filter((key) => key >= 'd' && key < 'm'),
    );
    expect(keys.slice({ start: 'm', end: 'd', single: false })).toEqual([]);
    keys.filter((key) => key < 'd');
    expect(keys.size).toBe(plain.filter((key) => key < 'd').length);
  });

  it('lowerBound finds the first index for which isBelow is false', () => {
    expect(lowerBound(0, () => true)).toBe(0);
    expect([0, 3, 7].map((bound) => lowerBound(7, (index) => index < bound))).toEqual([0, 3, 7]);
  });
});
