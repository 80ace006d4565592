import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { JsonValue } from '../../../../lib/core/records/endpoint.js';
import { encodeGoJson, MAX_JSON_NESTING } from '../../../../lib/core/records/go-json.js';
import { seededRandom } from '../../../support/seeded-random.js';

function nested(levels: number): JsonValue {
  let value: JsonValue = 1;
  for (let level = 0; level < levels; level++) value = { a: value };
  return value;
}

describe('encodeGoJson', () => {
  const forms: readonly (readonly [JsonValue, string])[] = [
    [null, 'null'],
    [true, 'true'],
    [false, 'false'],
    [0, '0'],
    [-0, '-0'],
    [-1.5, '-1.5'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [1e-6, '0.000001'],
    [1e-7, '1e-7'],
    [5e-324, '5e-324'],
    [-9_223_372_036_854_775_808n, '-9223372036854775808'],
    ['', '""'],
    ['<&>', String.raw`"\u003c\u0026\u003e"`],
    ['\u2028\u2029\u202a', String.raw`"\u2028\u2029` + '\u202a"'],
    ['\b\f\n\r\t\v\u0000', String.raw`"\b\f\n\r\t\u000b\u0000"`],
    ['"\\/\u007f', '"\\"\\\\/\u007f"'],
    ['a\ud800b\udc00', '"a\ufffdb\ufffd"'],
    ['😀', '"😀"'],
    [[], '[]'],
    [[[]], '[[]]'],
    [[1, [2, 'x'], {}], '[1,[2,"x"],{}]'],
    [{}, '{}'],
    [
      { b: [{ d: 1, c: null }], a: { z: '<' } },
      String.raw`{"a":{"z":"\u003c"},"b":[{"c":null,"d":1}]}`,
    ],
    [{ '10': 1, '9': 2, a: 3, B: 4 }, '{"10":1,"9":2,"B":4,"a":3}'],
    [{ '<': 1 }, String.raw`{"\u003c":1}`],
  ];

  it.each(forms.map(([value, text]) => ({ value, text })))('writes $text', ({ value, text }) => {
    expect(encodeGoJson(value)).toBe(text);
  });

  it.each([
    [Number.NaN, 'the number NaN'],
    [[Number.POSITIVE_INFINITY], 'the number Infinity'],
    [undefined, 'a undefined'],
    [{ a: [() => 0] }, 'a function'],
    [{ a: Symbol('s') }, 'a symbol'],
  ])('refuses %s, which has no JSON form', (value, reason) => {
    const encode = (): string => encodeGoJson(value as JsonValue);
    expect(encode).toThrow(DiscoveryError);
    expect(encode).toThrow('[INVALID_RECORD]');
    expect(encode).toThrow(reason);
  });

  it.each([
    [{ at: new Date(0) }, 'a Date'],
    [{ a: [new Map([['b', 1]])] }, 'a Map'],
    [{ a: new Set([1]) }, 'a Set'],
    [{ a: new Uint8Array(1) }, 'a Uint8Array'],
    [{ a: new Error('b') }, 'a Error'],
    [new (class Point {})(), 'a Point'],
    [{ a: new (class {})() }, 'an object of a class'],
    [Object.assign(new Date(0), { constructor: null }), 'an object of a class'],
  ])('refuses %o, because its content is not in its fields', (value, reason) => {
    const encode = (): string => encodeGoJson(value as unknown as JsonValue);
    expect(encode).toThrow('[INVALID_RECORD]');
    expect(encode).toThrow(`metadata holds ${reason}, which has no JSON form`);
  });

  it('accepts plain objects, also without a prototype or from another realm', () => {
    const bare = Object.assign(Object.create(null) as { a: number }, { a: 1 });
    const foreign = runInNewContext('({ a: [{ b: 1 }] })') as JsonValue;
    expect(encodeGoJson({ bare, foreign })).toBe('{"bare":{"a":1},"foreign":{"a":[{"b":1}]}}');
  });

  it('refuses a value that contains itself, without an endless loop', () => {
    const object: Record<string, JsonValue> = { a: 1 };
    object['self'] = [object, object];
    expect(() => encodeGoJson(object)).toThrow('[INVALID_RECORD] metadata is nested deeper');
  });

  it('refuses values that are nested too deeply for Go to read in a record', () => {
    expect(encodeGoJson(nested(MAX_JSON_NESTING - 1))).toHaveLength(6 * (MAX_JSON_NESTING - 1) + 1);
    expect(() => encodeGoJson(nested(MAX_JSON_NESTING))).toThrow('[INVALID_RECORD]');
  });

  it('sorts keys by code point: keys with surrogates come after all others', () => {
    const keys = [
      'a',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{103fe}',
      '\u{103ff}',
      '\u{10ffff}',
    ];
    for (const order of [keys, keys.toReversed()]) {
      const text = encodeGoJson(Object.fromEntries(order.map((key) => [key, 1])));
      expect(Object.keys(JSON.parse(text) as object)).toEqual(keys);
    }
  });

  it('sorts keys as their UTF-8 bytes are sorted', () => {
    const random = seededRandom(1);
    const letters = ['a', 'Z', '9', '\u00e9', '\u6f22', '\ufb01', '\uffff', '😀', '\u{10ffff}'];
    for (let round = 0; round < 300; round++) {
      const keys = Array.from({ length: 6 }, () =>
        Array.from({ length: Math.floor(random() * 4) }, () =>
          letters.at(Math.floor(random() * letters.length)),
        ).join(''),
      );
      const written = encodeGoJson(Object.fromEntries(keys.map((key) => [key, 1])));
      const order = [...written.matchAll(/"([^"]*)":/g)].map(([, key]) => key ?? '');
      expect(order).toEqual(
        [...new Set(keys)].sort((left, right) =>
          Buffer.compare(Buffer.from(left), Buffer.from(right)),
        ),
      );
    }
  });

  it('writes numbers and strings so that JSON.parse reads the same values', () => {
    const random = seededRandom(2);
    for (let round = 0; round < 2_000; round++) {
      const value = (random() - 0.5) * 10 ** Math.floor(random() * 600 - 300);
      expect(JSON.parse(encodeGoJson(value))).toBe(value);
      const text = String.fromCharCode(...Array.from({ length: 5 }, () => random() * 0x10000));
      expect(JSON.parse(encodeGoJson(text))).toBe(text.toWellFormed());
    }
  });
});
