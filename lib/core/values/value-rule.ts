/** Rules for values that a user writes: each rule reads one value, and names the values it allows. */
import { didYouMean } from '../closest-name.js';

/** A rule: which values are allowed. The bounds of an option stand in its rule. */
export interface ValueRule<T> {
  /** Returns the value in the form in which the library uses it; `undefined` if the value is not allowed. */
  readonly read: (value: unknown) => T | undefined;
  /** The allowed values in words. The refused value is passed, so that the text can suggest a name. */
  readonly allowed: (value: unknown) => string;
  /**
   * The kind of value that the rule asks for, if an error's text depends on it. `number`: a refused number is
   * shown, because it cannot be a secret. `container`, an object or array: a refused value may be the value
   * of one of its fields, so it may be a secret.
   */
  readonly asksFor?: 'number' | 'container';
}

/** The fields of an object, by name. */
export type Fields = Readonly<Record<string, unknown>>;

/** A rule that returns an allowed value unchanged. */
export function ruleOf<T>(
  allowed: string,
  fits: (value: unknown) => value is T,
  asksFor?: 'number' | 'container',
): ValueRule<T> {
  return {
    read: (value) => (fits(value) ? value : undefined),
    allowed: () => allowed,
    ...(asksFor === undefined ? {} : { asksFor }),
  };
}

/** The same rule with another text for the allowed values. */
export function inWords<T>(allowed: string, rule: ValueRule<T>): ValueRule<T> {
  return { ...rule, allowed: () => allowed };
}

const isArray = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';

export const BOOLEAN = ruleOf(
  'true or false',
  (value): value is boolean => typeof value === 'boolean',
);

/** A string that is not empty. */
export const TEXT = ruleOf(
  'a non-empty string',
  (value): value is string => isText(value) && value !== '',
);

/** A string, which may be empty. */
export const ANY_TEXT = ruleOf('a string', isText);

/** An object that is no array. */
export const FIELDS = ruleOf(
  'an object',
  (value): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value),
  'container',
);

/** An array of anything. `of`: what its elements are, in words, for the error's text. */
export function arrayOf(of?: string): ValueRule<readonly unknown[]> {
  return ruleOf(of === undefined ? 'an array' : `an array of ${of}`, isArray, 'container');
}

/** One of several names; for a misspelt name the error suggests the most similar one. */
export function nameAmong(names: readonly string[]): ValueRule<string> {
  return {
    read: (value) => names.find((name) => name === value),
    allowed: (value) => `${names.join(', ')}${didYouMean(value, names)}`,
  };
}

/**
 * A number within bounds, both included.
 *
 * @param maximum `Number.MAX_VALUE`: any finite number from the minimum on. `Infinity`: infinity too
 * @param unit the unit in the error's text, in the plural: `seconds`
 */
export function numberWithin(minimum: number, maximum: number, unit?: string): ValueRule<number> {
  const fits = (value: unknown): value is number =>
    typeof value === 'number' && value >= minimum && value <= maximum;
  return ruleOf(`a number${bounds(minimum, maximum, unit)}`, fits, 'number');
}

/** A whole number within bounds, both included. `unit`: as for {@link numberWithin}. */
export function wholeNumber(minimum: number, maximum: number, unit?: string): ValueRule<number> {
  const fits = (value: unknown): value is number =>
    Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
  return ruleOf(`a whole number${bounds(minimum, maximum, unit)}`, fits, 'number');
}

/** A finite number above 0, up to `maximum`. */
export function numberAbove0(maximum = Number.MAX_VALUE): ValueRule<number> {
  const fits = (value: unknown): value is number =>
    typeof value === 'number' && value > 0 && value <= maximum;
  const upTo = maximum === Number.MAX_VALUE ? '' : `, up to ${maximum}`;
  return ruleOf(`a number above 0${upTo}`, fits, 'number');
}

function bounds(minimum: number, maximum: number, unit: string | undefined): string {
  const of = unit === undefined ? '' : ` of ${unit}`;
  // A maximum that no sensible value exceeds is left out of the text.
  const isOpen = maximum >= Number.MAX_SAFE_INTEGER;
  return isOpen ? `${of}, ${minimum} or more` : `${of} from ${minimum} to ${maximum}`;
}
