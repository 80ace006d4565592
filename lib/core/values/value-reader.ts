/** Reads values that a user wrote, and refuses wrong ones with one text: `NAME is VALUE; allowed: WHAT`. */
import { didYouMean } from '../closest-name.js';
import { DiscoveryError } from '../discovery-error.js';
import { printableBeginning } from '../printable-text.js';
import { FIELDS, type ValueRule } from './value-rule.js';

/** The source of values: how an error shows a refused value, and which error is thrown. */
interface ValueSource {
  /** Creates the error that has a text as its message. */
  readonly toError: (text: string) => Error;
  /** Shows a refused value in the error's text. Default: {@link showValue}. */
  readonly show?: (name: string, value: unknown) => string;
  /**
   * As `show`, for a value under an unknown name, or in place of an object or an array: it may be anything,
   * also a secret. Default: as `show`.
   */
  readonly showMisplaced?: (name: string, value: unknown) => string;
}

/** The rules of an object's fields, by name. */
type FieldRules = Readonly<Record<string, ValueRule<unknown>>>;

/** The fields that {@link ValueReader.record} returns for such rules. */
export type ReadFields<Rules extends FieldRules> = {
  readonly [Field in keyof Rules]?: Rules[Field] extends ValueRule<infer T> ? T : never;
};

/** How many characters of a refused value an error shows at most. */
const MOST_CHARACTERS = 100;

/** Reads the values of one source. Every method throws that source's error for a refused value. */
export class ValueReader {
  constructor(private readonly source: ValueSource) {}

  /** Reads a value that must be present. */
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

  /** Reads a value that may be left out. */
  optional<T>(name: string, value: unknown, rule: ValueRule<T>): T | undefined {
    return value === undefined ? undefined : this.required(name, value, rule);
  }

  /** Reads the fields of an object. Unknown names are refused: a misspelt name must not be ignored. */
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

  /** As {@link fields}, with a rule for every field. The result has only the fields that are set. */
  record<Rules extends FieldRules>(name: string, value: unknown, rules: Rules): ReadFields<Rules> {
    const given = this.fields(name, value, Object.keys(rules));
    const read = Object.entries(rules)
      .map(([field, rule]) => [field, this.optional(`${name}.${field}`, given[field], rule)])
      .filter(([, one]) => one !== undefined);
    return Object.fromEntries(read) as ReadFields<Rules>;
  }

  /** Throws the error for a value that is not allowed. */
  reject(name: string, value: unknown, allowed: string): never {
    return this.refuse(name, (this.source.show ?? showNamed)(name, value), allowed);
  }

  /** As {@link reject}, for a value that may be a secret: the user may have meant it for another option. */
  misplaced(name: string, value: unknown, allowed: string): never {
    const { show = showNamed, showMisplaced = show } = this.source;
    return this.refuse(name, showMisplaced(name, value), allowed);
  }

  /** As {@link reject}, with `shown` in place of the value. The caller makes sure that it holds no secret. */
  refuse(name: string, shown: string, allowed: string): never {
    throw this.source.toError(`${name} is ${shown}; allowed: ${allowed}`);
  }
}

/** Reads arguments of public functions. Throws {@link DiscoveryError} `INVALID_OPTION`. */
export const argumentReader: ValueReader = new ValueReader({
  toError: (text) => new DiscoveryError('INVALID_OPTION', text),
});

/** A value as JSON, or as JavaScript writes it if JSON has no form for it (`NaN`); 100 characters at most. */
export function showValue(value: unknown): string {
  const isPlain = typeof value === 'string' || (typeof value === 'object' && value !== null);
  return printableBeginning(isPlain ? toJson(value) : String(value), MOST_CHARACTERS);
}

function showNamed(_name: string, value: unknown): string {
  return showValue(value);
}

/** The JSON of a value, or a text instead: a cyclic object, or one with a `bigint`, has no JSON form. */
function toJson(value: string | object): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'an object without a JSON form';
  }
}
