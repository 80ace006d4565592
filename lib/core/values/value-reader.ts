/** Reads values that a user wrote, and refuses wrong ones with one text: `NAME is VALUE; allowed: WHAT`. */
import { didYouMean } from '../closest-name.js';
import { DiscoveryError } from '../discovery-error.js';
import { printableBeginning } from '../printable-text.js';
import { FIELDS, type ValueRule } from './value-rule.js';

/** Where values come from: how the error shows a refused value, and which error is thrown. */
export interface ValueSource {
  /** The error for a text. */
  readonly toError: (text: string) => Error;
  /** A refused value, for the error's text. Default: {@link showValue}. */
  readonly show?: (name: string, value: unknown) => string;
  /**
   * As `show`, for a value under a name that does not exist, or in place of an object or an array: it may be anything, and so a
   * secret. Default: as `show`.
   */
  readonly showMisplaced?: (name: string, value: unknown) => string;
}

/** The rules of an object's fields, by name. */
export type FieldRules = Readonly<Record<string, ValueRule<unknown>>>;

/** What {@link ValueReader.record} reads by such rules. */
export type ReadFields<Rules extends FieldRules> = {
  readonly [Field in keyof Rules]?: Rules[Field] extends ValueRule<infer T> ? T : never;
};

/** The most characters of a refused value that an error shows. */
const MOST_CHARACTERS = 100;

/** Reads the values of one source. Every method throws that source's error for what is not allowed. */
export class ValueReader {
  constructor(private readonly source: ValueSource) {}

  /** A value that must be there. */
  required<T>(name: string, value: unknown, rule: ValueRule<T>): T {
    const read = rule.read(value);
    if (read !== undefined) return read;
    const { asksFor } = rule;
    if (asksFor === 'container') return this.misplaced(name, value, rule.allowed(value));
    if (asksFor === 'number' && typeof value === 'number') {
      return this.refuse(name, String(value), rule.allowed(value));
    }
    return this.reject(name, value, rule.allowed(value));
  }

  /** A value that may be left out. */
  optional<T>(name: string, value: unknown, rule: ValueRule<T>): T | undefined {
    return value === undefined ? undefined : this.required(name, value, rule);
  }

  /** The fields of an object. Names that are not known are refused: a misspelt name must not be ignored. */
  fields<Field extends string>(
    name: string,
    value: unknown,
    known: readonly Field[],
  ): Partial<Record<Field, unknown>> {
    const given = FIELDS.read(value);
    if (given === undefined) {
      return this.misplaced(name, value, `an object with ${known.join(', ')}`);
    }
    const unknown = Object.keys(given).find((field) => !known.some((one) => one === field));
    if (unknown === undefined) return given as Partial<Record<Field, unknown>>;
    const allowed = `none; ${name} has ${known.join(', ')}${didYouMean(unknown, known)}`;
    return this.misplaced(`${name}.${unknown}`, given[unknown], allowed);
  }

  /** As {@link fields}, with a rule for every field. What it returns has no fields that are not set. */
  record<Rules extends FieldRules>(name: string, value: unknown, rules: Rules): ReadFields<Rules> {
    const given = this.fields(name, value, Object.keys(rules));
    const read = Object.entries(rules)
      .map(([field, rule]) => [field, this.optional(`${name}.${field}`, given[field], rule)])
      .filter(([, one]) => one !== undefined);
    return Object.fromEntries(read) as ReadFields<Rules>;
  }

  /** Refuses a value. */
  reject(name: string, value: unknown, allowed: string): never {
    return this.refuse(name, (this.source.show ?? showNamed)(name, value), allowed);
  }

  /** Refuses a value that may be a secret, because it is not known what it was meant to be. */
  misplaced(name: string, value: unknown, allowed: string): never {
    const { show = showNamed, showMisplaced = show } = this.source;
    return this.refuse(name, showMisplaced(name, value), allowed);
  }

  /** As {@link reject}, with the value in words of the caller's own, which must not hold what may be a secret. */
  refuse(name: string, shown: string, allowed: string): never {
    throw this.source.toError(`${name} is ${shown}; allowed: ${allowed}`);
  }
}

/** Reads arguments of public functions. Throws {@link DiscoveryError} `INVALID_OPTION`. */
export const argumentReader: ValueReader = new ValueReader({
  toError: (text) => new DiscoveryError('INVALID_OPTION', text),
});

/** A value as JSON, 100 characters at most; as JavaScript writes it where JSON has no form for it (`NaN`, `undefined`). */
export function showValue(value: unknown): string {
  const isPlain = typeof value === 'string' || (typeof value === 'object' && value !== null);
  return printableBeginning(isPlain ? toJson(value) : String(value), MOST_CHARACTERS);
}

function showNamed(_name: string, value: unknown): string {
  return showValue(value);
}

/** A cyclic object, or one with a `bigint`, has no JSON. */
function toJson(value: string | object): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'an object without a JSON form';
  }
}
