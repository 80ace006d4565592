/**
 * The field `Discovery` that this library adds to a record, beside `Metadata`. Go's decoder ignores unknown
 * fields, while a map in `Metadata` crashes processes with several versions of grpc-go.
 */
import type { ValueReader } from '../values/value-reader.js';
import {
  BOOLEAN,
  FIELDS,
  numberAbove0,
  numberWithin,
  TEXT,
  type ValueRule,
} from '../values/value-rule.js';

/** The fields of a record's `Discovery`. All are optional. */
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

/** The rule of a weight, in the options and in records. */
export const WEIGHT = numberAbove0(1_000_000);

const CONNECTION_AGE = numberWithin(100, 86_400_000, 'milliseconds');

const RULES: {
  readonly [Field in keyof DiscoveryFields]-?: ValueRule<NonNullable<DiscoveryFields[Field]>>;
} = {
  weight: WEIGHT,
  version: TEXT,
  zone: TEXT,
  maxConnectionAgeMs: CONNECTION_AGE,
  draining: BOOLEAN,
};

/**
 * The `Discovery` of a record, which any program may have written. Fields with a wrong type or value, and
 * unknown fields, are ignored. Returns `undefined` if the value is not an object, because this library writes
 * only objects.
 */
export function readDiscovery(value: unknown): DiscoveryFields | undefined {
  const given = FIELDS.read(value);
  if (given === undefined) return undefined;
  const weight = WEIGHT.read(given['weight']);
  const version = TEXT.read(given['version']);
  const zone = TEXT.read(given['zone']);
  const maxConnectionAgeMs = CONNECTION_AGE.read(given['maxConnectionAgeMs']);
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(version === undefined ? {} : { version: version.toWellFormed() }),
    ...(zone === undefined ? {} : { zone: zone.toWellFormed() }),
    ...(maxConnectionAgeMs === undefined ? {} : { maxConnectionAgeMs }),
    ...(given['draining'] === true ? { draining: true } : {}),
  };
}

/**
 * Checks `Discovery` fields that a user wrote, and refuses unknown names. A field with the value `undefined`
 * counts as absent.
 */
export function checkDiscovery(reader: ValueReader, name: string, value: unknown): void {
  reader.record(name, value, RULES);
}

/** Whether two records have the same `Discovery`. An absent `Discovery` differs from an empty one. */
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
