/** Rules for values that a user writes: each rule reads one value, and says in words which values it allows. */
import { didYouMean } from '../closest-name.js';

/** Which values are allowed. The bounds of an option stand in its rule. */
export interface ValueRule<T> {
  /** The value in the form in which it is used; `undefined` if it is not allowed. */
  readonly read: (value: unknown) => T | undefined;
  /** The allowed values in words. The refused value is passed, so that the text can suggest the name that was meant. */
  readonly allowed: (value: unknown) => string;
  /**
   * What the rule asks for, where that decides how a refused value is shown. `number`: a number in its place is shown, because it can be
   * no secret. `container`: a value in its place may be something that belongs inside.
   */
  readonly asksFor?: 'number' | 'container';
}

/** A JSON object, or one of its kind. */
export type Fields = Readonly<Record<string, unknown>>;

/** A rule that takes values as they are. */
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

/** The same rule in other words. */
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

/** An array of anything. `of`: what its elements are, in words. */
export function arrayOf(of?: string): ValueRule<readonly unknown[]> {
  return ruleOf(of === undefined ? 'an array' : `an array of ${of}`, isArray, 'container');
}

/** One of some names; the error suggests the one that a misspelt name is most like. */
export function nameAmong(names: readonly string[]): ValueRule<string> {
  return {
    read: (value) => names.find((name) => name === value),
    allowed: (value) => `${names.join(', ')}${didYouMean(value, names)}`,
  };
}

/**
 * A number within bounds, both included.
 *
 * @param maximum `Number.MAX_VALUE`: any finite number from the minimum on. `Infinity`: that too
 * @param unit for the error's text, in the plural: `seconds`
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
  // A bound that excludes nothing is not worth reading.
  const isOpen = maximum >= Number.MAX_SAFE_INTEGER;
  return isOpen ? `${of}, ${minimum} or more` : `${of} from ${minimum} to ${maximum}`;
}
