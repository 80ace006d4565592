/** Checks of single option values. Each failure names the option, the value and what is allowed. */
import { didYouMean } from '../../core/closest-name.js';
import { DiscoveryError } from '../../core/discovery-error.js';
import { describeUnknown, describeValue } from './option-value.js';

/** @throws DiscoveryError `INVALID_OPTION`, always */
export function rejectOption(option: string, value: unknown, allowed: string): never {
  return refuseOption(option, describeValue(option, value), allowed);
}

/**
 * As {@link rejectOption}, in words of the caller's own, which must not hold what may be a secret.
 *
 * @throws DiscoveryError `INVALID_OPTION`, always
 */
export function refuseOption(option: string, shown: string, allowed: string): never {
  throw new DiscoveryError('INVALID_OPTION', `option ${option} is ${shown}; allowed: ${allowed}`);
}

/** Reads the fields of an object and refuses those nobody knows: a misspelt option must not be ignored. */
export function requireObject<Field extends string>(
  option: string,
  value: unknown,
  fields: readonly Field[],
): Partial<Record<Field, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuseOption(
      option,
      describeUnknown(option, value),
      `an object with ${fields.join(', ')}`,
    );
  }
  const unknown = Object.keys(value).find((field) => !fields.some((known) => known === field));
  if (unknown !== undefined) {
    const name = `${option}.${unknown}`;
    const shown = describeUnknown(name, Reflect.get(value, unknown));
    const allowed = `none; ${option} has ${fields.join(', ')}${didYouMean(unknown, fields)}`;
    return refuseOption(name, shown, allowed);
  }
  return value;
}

/** One of some names. */
export function requireName(option: string, value: unknown, names: readonly string[]): string {
  const found = names.find((name) => name === value);
  return found ?? rejectOption(option, value, `${names.join(', ')}${didYouMean(value, names)}`);
}

export function requireString(
  option: string,
  value: unknown,
  allowed = 'a non-empty string',
): string {
  return typeof value === 'string' && value !== '' ? value : rejectOption(option, value, allowed);
}

export function optionalString(option: string, value: unknown): string | undefined {
  return value === undefined ? undefined : requireString(option, value);
}

export function optionalBoolean(option: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  return rejectOption(option, value, 'true or false');
}

/** A whole number within bounds, both included. */
export function optionalInteger(
  option: string,
  value: unknown,
  minimum: number,
  maximum: number,
): number | undefined {
  if (value === undefined) return undefined;
  const fits = Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
  return fits
    ? Number(value)
    : rejectNumber(option, value, `a whole number from ${minimum} to ${maximum}`);
}

/** A finite number within bounds, both included; an infinite one where the bound is. */
export function optionalNumber(
  option: string,
  value: unknown,
  minimum: number,
  maximum: number,
): number | undefined {
  if (value === undefined) return undefined;
  const fits = typeof value === 'number' && value >= minimum && value <= maximum;
  return fits ? value : rejectNumber(option, value, `a number from ${minimum} to ${maximum}`);
}

/** A number in a number's place is shown, whichever option it is. */
function rejectNumber(option: string, value: unknown, allowed: string): never {
  return typeof value === 'number'
    ? refuseOption(option, String(value), allowed)
    : rejectOption(option, value, allowed);
}

export function requireArray(option: string, value: unknown, of: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return refuseOption(option, describeUnknown(option, value), `an array of ${of}`);
}
