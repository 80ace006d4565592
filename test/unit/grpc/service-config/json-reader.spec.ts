import { describe, expect, it } from 'vitest';
import { TEXT, type ValueRule } from '../../../../lib/core/values/value-rule.js';
import {
  DURATION_MS,
  jsonReader,
  optional,
  present,
  readEntries,
  readObject,
  readStatusCodes,
  required,
  ServiceConfigError,
  UINT64,
} from '../../../../lib/grpc/service-config/json-reader.js';

/** The text of the error that a call throws, which must be a {@link ServiceConfigError}. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceConfigError);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

const read = <T>(rule: ValueRule<T>, value: unknown): T => jsonReader.required('at', value, rule);

describe('a duration', () => {
  it.each<[string, number]>([
    ['0s', 0],
    ['-0s', 0],
    ['1s', 1_000],
    ['007s', 7_000],
    ['0.5s', 500],
    ['.5s', 500],
    ['5.s', 5_000],
    ['2.25s', 2_250],
    ['0.000000001s', 0.000_001],
    ['-0.1s', -100],
    ['-3s', -3_000],
    ['315576000000s', 315_576_000_000_000],
    ['-315576000000s', -315_576_000_000_000],
  ])('of %s is %d ms', (text, expectedMs) => {
    expect(read(DURATION_MS, text)).toBeCloseTo(expectedMs, 9);
  });

  it('of 0 s with a sign is not negative', () => {
    expect(Object.is(read(DURATION_MS, '-0s'), 0)).toBe(true);
  });

  it.each([
    ['5'],
    ['5m'],
    ['s'],
    ['-s'],
    ['.s'],
    ['5.3.2s'],
    ['+5s'],
    [' 5s'],
    ['5s '],
    ['1e3s'],
    ['1.0000000001s'],
    ['315576000001s'],
    [5],
    [''],
    [null],
  ])('is refused as %j', (value) => {
    expect(refusal(() => read(DURATION_MS, value))).toBe(
      `at is ${JSON.stringify(value)}; allowed: a duration such as "0.5s", of 315576000000s at most`,
    );
  });
});

describe('an unsigned number of 64 bits', () => {
  it.each<[unknown, number]>([
    [0, 0],
    [2_048, 2_048],
    ['0', 0],
    ['1024', 1_024],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [String(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
  ])('is read from %j', (value, expected) => {
    expect(read(UINT64, value)).toBe(expected);
  });

  it.each([[-1], [1.5], ['-1'], ['1.5'], [''], ['1e3'], ['9007199254740992'], [true], [[]]])(
    'is refused as %j',
    (value) => {
      expect(refusal(() => read(UINT64, value))).toMatch(/^at is .*; allowed: a whole number/);
    },
  );
});

describe('a list of status codes', () => {
  it.each<[unknown, string[]]>([
    [[], []],
    [
      ['UNAVAILABLE', 'deadline_exceeded'],
      ['UNAVAILABLE', 'DEADLINE_EXCEEDED'],
    ],
    [
      [8, 0],
      ['RESOURCE_EXHAUSTED', 'OK'],
    ],
  ])('is read from %j as names', (value, names) => {
    expect(readStatusCodes('codes', value)).toEqual(names);
  });

  it.each<[unknown, string]>([
    [['OK', 'NOPE'], 'codes[1] is "NOPE"; allowed: a gRPC status code'],
    [[17], 'codes[0] is 17; allowed: a gRPC status code'],
    [[-1], 'codes[0] is -1; allowed: a gRPC status code'],
    // The table of codes has both directions; a number is not given as text.
    [['14'], 'codes[0] is "14"; allowed: a gRPC status code'],
    [[{}], 'codes[0] is {}; allowed: a gRPC status code'],
    ['UNAVAILABLE', 'codes is "UNAVAILABLE"; allowed: an array'],
  ])('is refused as %j', (value, text) => {
    expect(refusal(() => readStatusCodes('codes', value))).toBe(text);
  });
});

describe('an object', () => {
  it('is read without the fields that are null by readObject, and with them by readEntries', () => {
    const value = { a: 1, b: null, c: false };
    expect(readObject('at', value)).toEqual({ a: 1, c: false });
    expect(readEntries('at', value)).toEqual([
      ['a', 1],
      ['b', null],
      ['c', false],
    ]);
  });

  it.each([[[]], [null], ['a'], [7]])('is refused as %j', (value) => {
    const text = `at is ${JSON.stringify(value)}; allowed: an object`;
    expect(refusal(() => readObject('at', value))).toBe(text);
    expect(refusal(() => readEntries('at', value))).toBe(text);
  });
});

describe('a field', () => {
  it('is read by a rule or by a function, which gets the path of the field', () => {
    const fields = { name: 'a' };
    expect(required(TEXT, 'at', fields, 'name')).toBe('a');
    expect(required((path, value) => [path, value], 'at', fields, 'name')).toEqual([
      'at.name',
      'a',
    ]);
    expect(required((path) => path, '', fields, 'name')).toBe('name');
  });

  it('that must be set is refused if it is missing', () => {
    expect(refusal(() => required(TEXT, 'at', {}, 'name'))).toBe(
      'at.name is missing; allowed: a non-empty string',
    );
    expect(refusal(() => required(TEXT, '', {}, 'name'))).toMatch(/^name is missing/);
  });

  it('that may be missing is undefined if it is missing; otherwise its rule applies', () => {
    expect(optional(TEXT, 'at', {}, 'name')).toBeUndefined();
    expect(optional(TEXT, 'at', { name: 'a' }, 'name')).toBe('a');
    expect(refusal(() => optional(TEXT, 'at', { name: 7 }, 'name'))).toBe(
      'at.name is 7; allowed: a non-empty string',
    );
  });
});

it('present copies an object without the fields that are undefined', () => {
  const fields = { a: 0, b: undefined, c: null, d: false };
  const copy = present(fields);
  expect(copy).toStrictEqual({ a: 0, c: null, d: false });
  expect(present({ a: 1 })).not.toBe(fields);
});
