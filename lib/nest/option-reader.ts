/** Checks of single option values. Each failure names the option, the value and what is allowed. */
import { didYouMean } from '../core/closest-name.js';
import { DiscoveryError } from '../core/discovery-error.js';

/** Options whose values are never shown, the misspelt ones among them. */
const SECRET =
  /pass|secret|token|credentials|auth$|auth\.(?!username$)|tls\.(?!ca$|cert$)|etcd\.\w*key|privatekey/i;
/** Fields that are never shown inside a value. */
const SECRET_FIELD = /pass|secret|token|credentials|auth|tls|cert|key$/i;
/** A user and password before a host, as in `http://user:password@host`. */
const USER_INFO = /(\w+:\/\/)?[^\s",]*@/g;

/** @throws DiscoveryError `INVALID_OPTION`, always */
export function rejectOption(option: string, value: unknown, allowed: string): never {
  const shown = SECRET.test(option) ? 'a value that is not shown' : describe(value);
  throw new DiscoveryError('INVALID_OPTION', `option ${option} is ${shown}; allowed: ${allowed}`);
}

/** Reads the fields of an object and refuses those nobody knows: a misspelt option must not be ignored. */
export function requireObject<Field extends string>(
  option: string,
  value: unknown,
  fields: readonly Field[],
): Partial<Record<Field, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return rejectOption(option, value, `an object with ${fields.join(', ')}`);
  }
  const unknown = Object.keys(value).find((field) => !fields.some((known) => known === field));
  if (unknown !== undefined) {
    const given: unknown = Reflect.get(value, unknown);
    const allowed = `none; ${option} has ${fields.join(', ')}${didYouMean(unknown, fields)}`;
    return rejectOption(`${option}.${unknown}`, given, allowed);
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
    : rejectOption(option, value, `a whole number from ${minimum} to ${maximum}`);
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
  return fits ? value : rejectOption(option, value, `a number from ${minimum} to ${maximum}`);
}

export function requireArray(option: string, value: unknown, of: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return rejectOption(option, value, `an array of ${of}`);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.replace(USER_INFO, '$1…@'));
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  try {
    const shown = (field: string, inner: unknown): unknown =>
      SECRET_FIELD.test(field) ? '…' : inner;
    const text = (JSON.stringify(value, shown) ?? 'an object').replace(USER_INFO, '$1…@');
    return text.length > 80 ? `${text.slice(0, 80)}…` : text;
  } catch {
    return 'an object';
  }
}
