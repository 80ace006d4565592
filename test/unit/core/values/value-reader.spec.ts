import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import {
  argumentReader,
  showValue,
  ValueReader,
} from '../../../../lib/core/values/value-reader.js';
import {
  arrayOf,
  numberWithin,
  TEXT,
  wholeNumber,
} from '../../../../lib/core/values/value-rule.js';

const reader: ValueReader = new ValueReader({ toError: (text) => new RangeError(text) });
/** A source that hides values, and hides misplaced values in other words. */
const secretive: ValueReader = new ValueReader({
  toError: (text) => new RangeError(text),
  show: () => 'hidden',
  showMisplaced: () => 'out of place',
});
const PORT = wholeNumber(0, 65_535);

describe('a value of an option', () => {
  it('is returned if its rule allows it', () => {
    expect(reader.required('port', 1, PORT)).toBe(1);
    expect(reader.optional('port', 1, PORT)).toBe(1);
  });

  it('may be left out only if it is optional', () => {
    expect(reader.optional('port', undefined, PORT)).toBeUndefined();
    expect(() => reader.required('port', undefined, PORT)).toThrow(
      new RangeError('port is undefined; allowed: a whole number from 0 to 65535'),
    );
  });

  it('that is null counts as given', () => {
    expect(() => reader.optional('port', null, PORT)).toThrow('port is null; allowed');
  });
});

describe('the error for a refused value', () => {
  it('is an error of the source, and names the value and what is allowed', () => {
    expect(() => reader.required('name', '', TEXT)).toThrow(
      new RangeError('name is ""; allowed: a non-empty string'),
    );
    expect(() => argumentReader.required('port', -1, PORT)).toThrow(
      new DiscoveryError('INVALID_OPTION', 'port is -1; allowed: a whole number from 0 to 65535'),
    );
  });

  it('shows a value as the source does', () => {
    expect(() => secretive.required('name', 7, TEXT)).toThrow('name is hidden;');
    expect(() => secretive.required('port', '7', PORT)).toThrow('port is hidden;');
    expect(() => secretive.reject('name', 'b', 'a')).toThrow('name is hidden; allowed: a');
    expect(() => secretive.refuse('name', 'a secret', 'a')).toThrow('name is a secret; allowed: a');
  });

  it('shows a number in place of a number, because it cannot be a secret', () => {
    expect(() => secretive.required('port', 65_536, PORT)).toThrow('port is 65536;');
    expect(() => secretive.required('share', Number.NaN, numberWithin(0, 1))).toThrow('is NaN;');
  });

  it('shows a value that stands in place of an array or an object as the source shows misplaced values', () => {
    expect(() => secretive.required('hosts', 'h', arrayOf('hosts'))).toThrow(
      'hosts is out of place; allowed: an array of hosts',
    );
    expect(() => secretive.fields('tls', 'x', ['ca', 'key'])).toThrow(
      'tls is out of place; allowed: an object with ca, key',
    );
    expect(() => secretive.fields('tls', { kee: 'x' }, ['ca', 'key'])).toThrow(
      'tls.kee is out of place; allowed: none; tls has ca, key; did you mean key?',
    );
  });
});

describe('the fields of an object', () => {
  const RULES = { port: PORT, name: TEXT };

  it('are read by their rules; fields that are not set are left out', () => {
    expect(reader.record('etcd', { port: 1, name: undefined }, RULES)).toEqual({ port: 1 });
    expect(Object.keys(reader.record('etcd', { name: undefined }, RULES))).toEqual([]);
  });

  it('are refused under their full name', () => {
    expect(() => reader.record('etcd', { port: 'x' }, RULES)).toThrow(
      'etcd.port is "x"; allowed: a whole number from 0 to 65535',
    );
  });

  it('are refused if the name is unknown, even without a value', () => {
    expect(() => reader.record('etcd', { prt: undefined }, RULES)).toThrow(
      'etcd.prt is undefined; allowed: none; etcd has port, name; did you mean port?',
    );
    expect(() => reader.fields('etcd', { toString: 1 }, ['port'])).toThrow('etcd.toString is 1;');
  });

  it.each([[null], [[]], ['x'], [undefined]])('cannot be read from %o', (value) => {
    expect(() => reader.record('etcd', value, RULES)).toThrow('allowed: an object with port, name');
  });
});

const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;

it.each([
  ['a\nb', String.raw`"a\nb"`],
  [{ a: [1] }, '{"a":[1]}'],
  [[], '[]'],
  [null, 'null'],
  [undefined, 'undefined'],
  [Number.NaN, 'NaN'],
  [7n, '7'],
  [cyclic, 'an object without a JSON form'],
  ['x'.repeat(200), `"${'x'.repeat(99)}…`],
])('the value %o is shown as %s', (value, shown) => {
  expect(showValue(value)).toBe(shown);
});
