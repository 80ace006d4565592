/** Reads the options of the module. An error names the option, its value and what is allowed, and shows no secret. */
import { DiscoveryError } from '../../core/discovery-error.js';
import { ValueReader } from '../../core/values/value-reader.js';
import {
  inWords,
  nameAmong,
  numberWithin,
  TEXT,
  wholeNumber,
} from '../../core/values/value-rule.js';
import { describeUnknown, describeValue } from './option-value.js';

/** Throws {@link DiscoveryError} `INVALID_OPTION`. */
export const optionReader: ValueReader = new ValueReader({
  toError: (text) => new DiscoveryError('INVALID_OPTION', `option ${text}`),
  show: describeValue,
  showMisplaced: describeUnknown,
});

/** @throws DiscoveryError `INVALID_OPTION`, always */
export function rejectOption(option: string, value: unknown, allowed: string): never {
  return optionReader.reject(option, value, allowed);
}

export function requireObject<Field extends string>(
  option: string,
  value: unknown,
  fields: readonly Field[],
): Partial<Record<Field, unknown>> {
  return optionReader.fields(option, value, fields);
}

export function requireName(option: string, value: unknown, names: readonly string[]): string {
  return optionReader.required(option, value, nameAmong(names));
}

export function requireString(option: string, value: unknown, allowed?: string): string {
  return optionReader.required(
    option,
    value,
    allowed === undefined ? TEXT : inWords(allowed, TEXT),
  );
}

export function optionalString(option: string, value: unknown): string | undefined {
  return optionReader.optional(option, value, TEXT);
}

export function optionalInteger(
  option: string,
  value: unknown,
  minimum: number,
  maximum: number,
): number | undefined {
  return optionReader.optional(option, value, wholeNumber(minimum, maximum));
}

export function optionalNumber(
  option: string,
  value: unknown,
  minimum: number,
  maximum: number,
): number | undefined {
  return optionReader.optional(option, value, numberWithin(minimum, maximum));
}
