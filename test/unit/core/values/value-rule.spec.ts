import { expect, it } from 'vitest';
import {
  ANY_TEXT,
  arrayOf,
  BOOLEAN,
  FIELDS,
  inWords,
  nameAmong,
  numberAbove0,
  numberWithin,
  TEXT,
  type ValueRule,
  wholeNumber,
} from '../../../../lib/core/values/value-rule.js';

const NAMES = nameAmong(['round_robin', 'random']);

it.each<[rule: ValueRule<unknown>, taken: readonly unknown[], refused: readonly unknown[]]>([
  [BOOLEAN, [true, false], [0, 'true', null, undefined]],
  [TEXT, ['a', ' '], ['', 1, null, undefined]],
  [ANY_TEXT, ['a', ''], [1, null, undefined]],
  [FIELDS, [{}, { a: 1 }], [[], null, 'a', undefined]],
  [arrayOf(), [[], [1]], [{ length: 0 }, 'a', null]],
  [NAMES, ['random'], ['Random', '', undefined]],
  [numberWithin(1, 2), [1, 1.5, 2], [0.9, 2.1, Number.NaN, Infinity, '1']],
  [numberWithin(1, Number.MAX_VALUE), [1, 1e300], [0, Infinity, Number.NaN]],
  [numberWithin(1, Infinity), [1, Infinity], [0, -Infinity, Number.NaN]],
  [wholeNumber(1, 3), [1, 2, 3], [0, 4, 1.5, '2', Number.NaN]],
  [wholeNumber(0, Number.MAX_SAFE_INTEGER), [0, 2 ** 53 - 1], [-1, 2 ** 53, Infinity]],
  [numberAbove0(10), [0.1, 10], [0, -1, 10.1, '1']],
  [numberAbove0(), [1e300], [0, Infinity]],
])('the rule %o takes and refuses values up to its bounds', (rule, taken, refused) => {
  expect(taken.map((value) => rule.read(value))).toEqual(taken);
  expect(refused.map((value) => rule.read(value))).toEqual(refused.map(() => undefined));
});

it.each<[text: string, rule: ValueRule<unknown>]>([
  ['true or false', BOOLEAN],
  ['a non-empty string', TEXT],
  ['an array', arrayOf()],
  ['an array of folders', arrayOf('folders')],
  ['a number from 0.5 to 1', numberWithin(0.5, 1)],
  ['a number of milliseconds from 1 to 10', numberWithin(1, 10, 'milliseconds')],
  ['a number of seconds, 1 or more', numberWithin(1, Number.MAX_VALUE, 'seconds')],
  ['a number, 1.001 or more', numberWithin(1.001, Infinity)],
  ['a whole number from 0 to 65535', wholeNumber(0, 65_535)],
  ['a whole number, 2 or more', wholeNumber(2, Number.MAX_SAFE_INTEGER)],
  ['a number above 0, up to 10', numberAbove0(10)],
  ['a number above 0', numberAbove0()],
  ['the name of a file', inWords('the name of a file', TEXT)],
])('the text "%s" says what its rule allows', (text, rule) => {
  expect(rule.allowed(undefined)).toBe(text);
});

it('a rule of names suggests the known name that is most similar to a misspelt name', () => {
  expect(NAMES.allowed('roundRobin')).toBe('round_robin, random; did you mean round_robin?');
  expect(NAMES.allowed('least')).toBe('round_robin, random');
  expect(NAMES.allowed(7)).toBe('round_robin, random');
});

it('a rule with another text still reads the same values', () => {
  const rule = inWords('the name of a file', TEXT);
  expect([rule.read('a'), rule.read('')]).toEqual(['a', undefined]);
});
