/** Reads fields of a gRPC service config. Unknown fields are nobody's business, wrong ones end the reading. */
import { status } from '@grpc/grpc-js';

/** What is wrong with a service config, and where. */
export class ServiceConfigError extends Error {}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON object, or a {@link ServiceConfigError}. */
export function readObject(path: string, value: unknown): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as JsonObject;
  return reject(path, value, 'an object');
}

export function readArray(path: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : reject(path, value, 'an array');
}

/** A text; `undefined` if the field is not set. */
export function readText(path: string, value: unknown): string | undefined {
  return value === undefined || typeof value === 'string' ? value : reject(path, value, 'a string');
}

export function readBoolean(path: string, value: unknown): boolean | undefined {
  return value === undefined || typeof value === 'boolean'
    ? value
    : reject(path, value, 'true or false');
}

/** A number within bounds, both included. */
export function readNumber(
  path: string,
  value: unknown,
  minimum: number,
  maximum: number,
): number | undefined {
  if (value === undefined) return undefined;
  const fits = typeof value === 'number' && value >= minimum && value <= maximum;
  return fits ? value : reject(path, value, `a number from ${minimum} to ${maximum}`);
}

export function readInteger(
  path: string,
  value: unknown,
  minimum: number,
  maximum: number,
): number | undefined {
  const number = readNumber(path, value, minimum, maximum);
  if (number === undefined || Number.isInteger(number)) return number;
  return reject(path, value, `a whole number from ${minimum} to ${maximum}`);
}

/** A duration above zero in protobuf's JSON form, `"0.5s"`, in milliseconds. */
export function readDurationMs(path: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const matches = typeof value === 'string' && /^\d{1,12}(\.\d{1,9})?s$/.test(value);
  const milliseconds = matches ? Number(value.slice(0, -1)) * 1_000 : 0;
  return milliseconds > 0
    ? milliseconds
    : reject(path, value, 'a duration above 0, such as "0.5s"');
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
