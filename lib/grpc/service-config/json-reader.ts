/**
 * Reads fields of a gRPC service config. Unknown fields are nobody's business, wrong ones end the reading. A field that is
 * `null` is not set, as in protobuf's JSON.
 */
import { status } from '@grpc/grpc-js';

/** What is wrong with a service config, and where. */
export class ServiceConfigError extends Error {}

/** The fields of a JSON object that are set. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Reads one value, or throws a {@link ServiceConfigError}. */
export type JsonReader<T, Bounds extends readonly unknown[]> = (
  path: string,
  value: unknown,
  ...bounds: Bounds
) => T;

/** The largest unsigned integer of 32 bits: protobuf's `uint32`. */
export const LARGEST_UINT32 = 4_294_967_295;

/** The longest duration in protobuf's JSON, in seconds: 10,000 years. */
const LONGEST_SECONDS = 315_576_000_000;

/** A field that must be set. */
export function required<T, Bounds extends readonly unknown[]>(
  read: JsonReader<T, Bounds>,
  path: string,
  fields: JsonObject,
  name: string,
  ...bounds: Bounds
): T {
  return read(path === '' ? name : `${path}.${name}`, fields[name], ...bounds);
}

/** A field that may be left out. */
export function optional<T, Bounds extends readonly unknown[]>(
  read: JsonReader<T, Bounds>,
  path: string,
  fields: JsonObject,
  name: string,
  ...bounds: Bounds
): T | undefined {
  return fields[name] === undefined ? undefined : required(read, path, fields, name, ...bounds);
}

/** A JSON object, without the fields that are not set. */
export function readObject(path: string, value: unknown): JsonObject {
  return Object.fromEntries(readEntries(path, value).filter(([, field]) => field !== null));
}

/** The fields of a JSON object, with those that are `null`. */
export function readEntries(path: string, value: unknown): [name: string, value: unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value);
  return reject(path, value, 'an object');
}

export function readArray(path: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : reject(path, value, 'an array');
}

export function readText(path: string, value: unknown): string {
  return typeof value === 'string' ? value : reject(path, value, 'a string');
}

export function readBoolean(path: string, value: unknown): boolean {
  return typeof value === 'boolean' ? value : reject(path, value, 'true or false');
}

/** A number within bounds, both included. */
export function readNumber(path: string, value: unknown, minimum: number, maximum: number): number {
  const fits = typeof value === 'number' && value >= minimum && value <= maximum;
  return fits ? value : reject(path, value, `a number from ${minimum} to ${maximum}`);
}

/** A number above 0, of any size up to `maximum`. */
export function readPositive(path: string, value: unknown, maximum = Number.MAX_VALUE): number {
  const fits = typeof value === 'number' && value > 0 && value <= maximum;
  const bound = maximum === Number.MAX_VALUE ? '' : `, up to ${maximum}`;
  return fits ? value : reject(path, value, `a number above 0${bound}`);
}

/** A whole number within bounds, both included. */
export function readInteger(
  path: string,
  value: unknown,
  minimum: number,
  maximum: number,
): number {
  const fits = Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
  return fits ? Number(value) : reject(path, value, `a whole number from ${minimum} to ${maximum}`);
}

/**
 * A duration in protobuf's JSON form, `"0.5s"`, in milliseconds. It may be negative, and have no digits on one side of
 * its point: as grpc-go reads it (`internal/serviceconfig/duration.go`).
 */
export function readDurationMs(path: string, value: unknown): number {
  const parts = typeof value === 'string' ? /^(-?)(\d*)(?:\.(\d{0,9}))?s$/.exec(value) : null;
  const [, sign = '', whole = '', fraction = ''] = parts ?? [];
  if (parts === null || whole + fraction === '' || Number(whole) > LONGEST_SECONDS) {
    return reject(path, value, `a duration such as "0.5s", of ${LONGEST_SECONDS}s at most`);
  }
  const milliseconds = Number(`${whole}.${fraction}0`) * 1_000;
  return sign === '-' && milliseconds > 0 ? -milliseconds : milliseconds;
}

/** Status codes by name or number, at least one unless `mayBeEmpty`, as names. */
export function readStatusCodes(path: string, value: unknown, mayBeEmpty = false): string[] {
  const codes = readArray(path, value).map((code, at) => {
    const name = typeof code === 'string' ? code.toUpperCase() : status[Number(code)];
    if (name !== undefined && name in status && Number.isNaN(Number(name))) return name;
    return reject(`${path}[${at}]`, code, 'a gRPC status code');
  });
  return codes.length > 0 || mayBeEmpty ? codes : reject(path, value, 'at least one status code');
}

/** @throws ServiceConfigError always */
export function reject(path: string, value: unknown, allowed: string): never {
  const shown = value === undefined ? 'missing' : (JSON.stringify(value)?.slice(0, 100) ?? '?');
  throw new ServiceConfigError(`${path} is ${shown}; allowed: ${allowed}`);
}

/** An object without the fields that are `undefined`. */
export function present<T extends object>(
  fields: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
