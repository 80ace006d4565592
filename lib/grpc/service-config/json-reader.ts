/**
 * Reads fields of a gRPC service config in protobuf's JSON forms. Unknown fields are ignored; a malformed
 * field rejects the whole config. A field that is `null` counts as not set.
 */
import { status } from '@grpc/grpc-js';
import { showValue, ValueReader } from '../../core/values/value-reader.js';
import {
  arrayOf,
  FIELDS,
  type Fields,
  type ValueRule,
  wholeNumber,
} from '../../core/values/value-rule.js';

/** Says what is wrong with a service config, and where. */
export class ServiceConfigError extends Error {}

/** Reads one value that no rule describes, or throws a {@link ServiceConfigError}. */
type JsonReader<T> = (path: string, value: unknown) => T;

/** The largest unsigned integer of 32 bits: protobuf's `uint32`. */
export const LARGEST_UINT32 = 4_294_967_295;

/** The longest duration in protobuf's JSON, in seconds: 10,000 years. */
const LONGEST_SECONDS = 315_576_000_000;

/** Reads values by rules; throws a {@link ServiceConfigError} for a value that breaks its rule. */
export const jsonReader: ValueReader = new ValueReader({
  toError: (text) => new ServiceConfigError(text),
  show: (_path, value) => (value === undefined ? 'missing' : showValue(value)),
});

export const ARRAY = arrayOf();

/** Reads a field that must be set. */
export function required<T>(
  read: JsonReader<T> | ValueRule<T>,
  path: string,
  fields: Fields,
  name: string,
): T {
  const at = path === '' ? name : `${path}.${name}`;
  return typeof read === 'function'
    ? read(at, fields[name])
    : jsonReader.required(at, fields[name], read);
}

/** Reads a field that may be missing. */
export function optional<T>(
  read: JsonReader<T> | ValueRule<T>,
  path: string,
  fields: Fields,
  name: string,
): T | undefined {
  return fields[name] === undefined ? undefined : required(read, path, fields, name);
}

/** Reads a JSON object, without the fields that are `null`. */
export function readObject(path: string, value: unknown): Fields {
  return Object.fromEntries(readEntries(path, value).filter(([, field]) => field !== null));
}

/** Reads the fields of a JSON object, including those that are `null`. */
export function readEntries(path: string, value: unknown): [name: string, value: unknown][] {
  return Object.entries(jsonReader.required(path, value, FIELDS));
}

/** A whole number, 0 or more; protobuf's JSON may write it as text. */
export const UINT64: ValueRule<number> = {
  ...wholeNumber(0, Number.MAX_SAFE_INTEGER),
  read: (value) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    return wholeNumber(0, Number.MAX_SAFE_INTEGER).read(number);
  },
};

/**
 * A duration in protobuf's JSON form, such as `"0.5s"`, as milliseconds. As in grpc-go
 * (`internal/serviceconfig/duration.go`), it may be negative, and may have no digits on one side of the
 * point.
 */
export const DURATION_MS: ValueRule<number> = {
  read: (value) => {
    const parts = typeof value === 'string' ? /^(-?)(\d*)(?:\.(\d{0,9}))?s$/.exec(value) : null;
    const [, sign = '', whole = '', fraction = ''] = parts ?? [];
    const isDuration = whole + fraction !== '' && Number(whole) <= LONGEST_SECONDS;
    if (!isDuration) return undefined;
    const milliseconds = Number(`${whole}.${fraction}0`) * 1_000;
    return sign === '-' && milliseconds > 0 ? -milliseconds : milliseconds;
  },
  allowed: () => `a duration such as "0.5s", of ${LONGEST_SECONDS}s at most`,
};

/** Reads status codes, which are given by name or number, as names. */
export function readStatusCodes(path: string, value: unknown): string[] {
  return jsonReader.required(path, value, ARRAY).map((code, at) => {
    const name = typeof code === 'string' ? code.toUpperCase() : status[Number(code)];
    if (name !== undefined && name in status && Number.isNaN(Number(name))) return name;
    return jsonReader.reject(`${path}[${at}]`, code, 'a gRPC status code');
  });
}

/** A copy of an object, without the fields that are `undefined`. */
export function present<T extends object>(
  fields: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
