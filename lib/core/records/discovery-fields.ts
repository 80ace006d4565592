/**
 * The field `Discovery` that this library adds to a record, beside `Metadata`. Go's decoder ignores unknown fields, while
 * a map in `Metadata` crashes processes with several versions of grpc-go.
 */

/** The fields of `Discovery`. All are optional. */
export interface DiscoveryFields {
  /** Share of calls relative to the other endpoints, above 0, up to 1,000,000. */
  readonly weight?: number;
  /** The version that the server runs; not empty. */
  readonly version?: string;
  /** The zone (failure domain) that the server runs in; not empty. */
  readonly zone?: string;
  /** The age at which the server closes a connection, in milliseconds, 100–86,400,000. */
  readonly maxConnectionAgeMs?: number;
  /** True: the server is shutting down, and its record will be deleted next. */
  readonly draining?: boolean;
}

/** Why a value is not {@link DiscoveryFields}. */
export interface DiscoveryFault {
  /** The wrong field; `undefined`: the value as a whole is wrong. */
  readonly field: string | undefined;
  readonly value: unknown;
  readonly allowed: string;
}

const MAX_WEIGHT = 1_000_000;
const SHORTEST_CONNECTION_AGE_MS = 100;
const LONGEST_CONNECTION_AGE_MS = 86_400_000;

/** The allowed weights, for error texts. */
export const WEIGHT_ALLOWED = `a number above 0, up to ${MAX_WEIGHT}`;

/** Whether a value is a valid weight, in the options or in a record. */
export function isWeight(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= MAX_WEIGHT;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isConnectionAge(value: unknown): value is number {
  return (
    typeof value === 'number' &&
    value >= SHORTEST_CONNECTION_AGE_MS &&
    value <= LONGEST_CONNECTION_AGE_MS
  );
}

const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';

type Rule = readonly [fits: (value: unknown) => boolean, allowed: string];

const RULES: { readonly [Field in keyof DiscoveryFields]-?: Rule } = {
  weight: [isWeight, WEIGHT_ALLOWED],
  version: [isText, 'a non-empty string'],
  zone: [isText, 'a non-empty string'],
  maxConnectionAgeMs: [
    isConnectionAge,
    `milliseconds from ${SHORTEST_CONNECTION_AGE_MS} to ${LONGEST_CONNECTION_AGE_MS}`,
  ],
  draining: [isBoolean, 'true or false'],
};

/**
 * The `Discovery` of a record, which any program may have written. Fields with a wrong type or value, and unknown
 * fields, are ignored. Returns `undefined` if the value is not an object, so not from this library.
 */
export function readDiscovery(value: unknown): DiscoveryFields | undefined {
  if (!isObject(value)) return undefined;
  const { weight, version, zone, maxConnectionAgeMs, draining } = value;
  return {
    ...(isWeight(weight) ? { weight } : {}),
    ...(isText(version) ? { version: version.toWellFormed() } : {}),
    ...(isText(zone) ? { zone: zone.toWellFormed() } : {}),
    ...(isConnectionAge(maxConnectionAgeMs) ? { maxConnectionAgeMs } : {}),
    ...(draining === true ? { draining } : {}),
  };
}

/** The first wrong field of a user's `discovery`, if any. Unknown names are wrong too. */
export function discoveryFault(value: unknown): DiscoveryFault | undefined {
  const names = Object.keys(RULES);
  if (!isObject(value)) {
    return { field: undefined, value, allowed: `an object with ${names.join(', ')}` };
  }
  for (const [field, given] of Object.entries(value)) {
    const rule = Object.hasOwn(RULES, field) ? RULES[field as keyof DiscoveryFields] : undefined;
    if (rule === undefined) {
      return { field, value: given, allowed: `none; discovery has ${names.join(', ')}` };
    }
    const [fits, allowed] = rule;
    if (given !== undefined && !fits(given)) return { field, value: given, allowed };
  }
  return undefined;
}

/** Whether two records have the same `Discovery`. An absent one differs from an empty one. */
export function sameDiscovery(
  left: DiscoveryFields | undefined,
  right: DiscoveryFields | undefined,
): boolean {
  if (left === undefined || right === undefined) return left === right;
  return (
    left.weight === right.weight &&
    left.version === right.version &&
    left.zone === right.zone &&
    left.maxConnectionAgeMs === right.maxConnectionAgeMs &&
    left.draining === right.draining
  );
}

function isObject(value: unknown): value is { readonly [field: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
