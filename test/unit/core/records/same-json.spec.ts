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
  it.each<[string, JsonValue, JsonValue, boolean]>([
    ['objects whose keys stand in another order', { a: 1, b: [2] }, { b: [2], a: 1 }, true],
    ['an object with a key more', { a: 1 }, { a: 1, b: null }, false],
    ['objects with other keys', { a: null }, { b: null }, false],
    ['arrays in another order', [1, 2], [2, 1], false],
    ['an array and an object', [], {}, false],
    ['an array that is longer', [1], [1, 1], false],
    ['0 and -0', 0, -0, false],
    ['null and false', null, false, false],
    ['a number and its digits', 1, '1', false],
    ['an integer of either kind', 1, 1n, true],
    ['large integers that differ', 2n ** 64n, 2n ** 64n + 1n, false],
    ['a lone surrogate and what Go makes of it', '\ud800', '\ufffd', true],
    ['deep values', nested(9_000, 1), nested(9_000, 1), true],
    ['deep values that differ', nested(9_000, 1), nested(9_000, 2), false],
  ])('%s', (_, one, other, same) => {
    expect(sameJson(one, other)).toBe(same);
    expect(sameJson(other, one)).toBe(same);
  });

  it('that contain themselves do not make the comparison endless', () => {
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
