import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../../lib/core/records/endpoint.js';
import { encodeGoJson } from '../../../../lib/core/records/go-json.js';
import { sameJson } from '../../../../lib/core/records/same-json.js';
import { seededRandom } from '../../../support/seeded-random.js';

function nested(levels: number, inner: JsonValue): JsonValue {
  let value = inner;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

function cycle(): JsonValue {
  const array: JsonValue[] = [];
  array.push(array);
  return array;
}

describe('two JSON values', () => {
  it.each<[string, 'are the same' | 'differ', JsonValue, JsonValue]>([
    [
      'objects whose keys stand in another order',
      'are the same',
      { a: 1, b: [2] },
      { b: [2], a: 1 },
    ],
    ['objects of which one has a key more', 'differ', { a: 1 }, { a: 1, b: null }],
    ['objects with other keys', 'differ', { a: null }, { b: null }],
    ['arrays in another order', 'differ', [1, 2], [2, 1]],
    ['an array and an object', 'differ', [], {}],
    ['an array and a longer one', 'differ', [1], [1, 1]],
    ['0 and -0', 'differ', 0, -0],
    ['null and false', 'differ', null, false],
    ['a number and the text of its digits', 'differ', 1, '1'],
    ['an integer as a number and as a bigint', 'are the same', 1, 1n],
    ['2 ** 64 and 2 ** 64 + 1', 'differ', 2n ** 64n, 2n ** 64n + 1n],
    ['a lone surrogate and U+FFFD, which Go writes for it,', 'are the same', '\ud800', '\ufffd'],
    ['arrays 9,000 levels deep around 1', 'are the same', nested(9_000, 1), nested(9_000, 1)],
    [
      'arrays 9,000 levels deep around 1 and around 2',
      'differ',
      nested(9_000, 1),
      nested(9_000, 2),
    ],
  ])('%s %s', (_, expected, one, other) => {
    const same = expected === 'are the same';
    expect(sameJson(one, other)).toBe(same);
    expect(sameJson(other, one)).toBe(same);
  });

  it('that contain themselves are compared without an endless loop', () => {
    expect(sameJson(cycle(), cycle())).toBe(false);
  });

  it('are the same exactly if their JSON texts are the same', () => {
    const random = seededRandom(9);
    const pick = (count: number): number => Math.floor(random() * count);
    const scalars: JsonValue[] = [null, true, 0, -0, 1, 1n, 'a', ''];
    const make = (depth: number): JsonValue => {
      const kind = depth === 0 ? 0 : pick(3);
      if (kind === 0) return scalars[pick(scalars.length)] ?? null;
      const members = Array.from({ length: pick(3) }, () => make(depth - 1));
      if (kind === 1) return members;
      return Object.fromEntries(members.map((member) => ['xyz'[pick(3)], member]));
    };
    let same = 0;
    for (let round = 0; round < 5_000; round++) {
      const [one, other] = [make(2), make(2)];
      const expected = encodeGoJson(one) === encodeGoJson(other);
      expect(sameJson(one, other)).toBe(expected);
      if (expected) same++;
    }
    expect(same).toBeGreaterThan(100);
  });
});
