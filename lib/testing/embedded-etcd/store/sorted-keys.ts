/** A set of keys in byte order: a sorted array with binary search. */
import type { ByteKey, ByteRange } from './byte-range.js';

/**
 * Look-ups are O(log n); an insertion moves the tail of the array, which for the tens of thousands of keys of
 * a development server costs microseconds.
 */
export class SortedKeys {
  private keys: ByteKey[] = [];

  /** How many keys there are. */
  get size(): number {
    return this.keys.length;
  }

  /** Adds a key that is not there yet. */
  add(key: ByteKey): void {
    const { keys } = this;
    const last = keys.at(-1);
    if (last === undefined || last < key) keys.push(key);
    else keys.splice(this.position(key), 0, key);
  }

  /** Keeps only the keys for which `keep` returns true. */
  filter(keep: (key: ByteKey) => boolean): void {
    this.keys = this.keys.filter(keep);
  }

  /** The keys of a range, in order. */
  slice(range: ByteRange): ByteKey[] {
    const from = this.position(range.start);
    const to = range.end === undefined ? this.keys.length : this.position(range.end);
    return this.keys.slice(from, Math.max(from, to));
  }

  /** The index of the first key that is not below `key`. */
  private position(key: ByteKey): number {
    return lowerBound(this.keys.length, (index) => (this.keys[index] as ByteKey) < key);
  }
}

/**
 * The first index in [0, length) for which `isBelow` is false, `length` if there is none. After its first
 * false `isBelow` must stay false.
 */
export function lowerBound(length: number, isBelow: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBelow(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
