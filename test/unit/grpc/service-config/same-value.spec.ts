import { expect, it } from 'vitest';
import { sameValue } from '../../../../lib/grpc/service-config/same-value.js';

const keyOf = () => 'key';

it.each([
  [1, 1],
  [Infinity, Infinity],
  [undefined, undefined],
  [null, null],
  [{}, {}],
  [
    { a: 1, b: [{ c: 'x' }] },
    { b: [{ c: 'x' }], a: 1 },
  ],
  [{ keyOf }, { keyOf }],
])('sameValue is true for %j and %j', (one, other) => {
  expect(sameValue(one, other)).toBe(true);
});

it.each([
  [1, '1'],
  [null, {}],
  [{}, null],
  [{}, []],
  [{ a: 1 }, { a: 2 }],
  [{ a: 1 }, {}],
  [{}, { a: 1 }],
  [{ a: undefined }, { b: undefined }],
  [['x'], ['x', 'y']],
  [{ keyOf }, { keyOf: () => 'key' }],
])('sameValue is false for %j and %j', (one, other) => {
  expect(sameValue(one, other)).toBe(false);
});
