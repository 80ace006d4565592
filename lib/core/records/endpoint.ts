/** An endpoint: one address of a service, and the fields of its record. */
import { type DiscoveryFields, WEIGHT } from './discovery-fields.js';

/** A JSON value. `bigint` is written as a JSON integer. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** One address of a service. Immutable; equality is by value (`sameEndpoint`). */
export interface Endpoint {
  /** `host:port`, `[ipv6]:port` or `unix:path`, as a client dials it. */
  readonly address: string;
  /**
   * The `Metadata` of the record, as Go wrote or will read it: `null`, or the user's value, usually a flat
   * object. In a record without `discovery`, `weight`, `version` and `zone` are read from here
   * (`endpointWeight` and so on).
   */
  readonly metadata: JsonValue;
  /** The `Discovery` of the record, which this library adds. If present, it counts instead of `metadata`. */
  readonly discovery?: DiscoveryFields;
  /**
   * Identifies the process at the address: it changes when another process registers the address, or the same
   * process does after it lost its registration. `undefined` if the registry cannot tell. On etcd it is the
   * record's lease.
   */
  readonly incarnation?: string;
}

/** The weight of an endpoint without a valid weight: 1. */
export const DEFAULT_WEIGHT = 1;

/**
 * An endpoint's share of calls relative to the others, above 0, up to 1,000,000; {@link DEFAULT_WEIGHT} if
 * its record has no valid weight. In `metadata` a number in a string counts too, for Go servers with a
 * `map[string]string`.
 */
export function endpointWeight(endpoint: Endpoint): number {
  return WEIGHT.read(fieldOf(endpoint, 'weight', numberOf)) ?? DEFAULT_WEIGHT;
}

/** The zone (failure domain) of an endpoint, if its record has one. */
export function endpointZone(endpoint: Endpoint): string | undefined {
  return fieldOf(endpoint, 'zone', textOf);
}

/** The version that an endpoint runs, if its record has one. */
export function endpointVersion(endpoint: Endpoint): string | undefined {
  return fieldOf(endpoint, 'version', textOf);
}

/**
 * The age at which an endpoint's server closes a connection, in milliseconds, 100–86,400,000, if its
 * `discovery` has one. A client that replaces its connections earlier loses no call.
 */
export function endpointConnectionAgeMs({ discovery }: Endpoint): number | undefined {
  return discovery?.maxConnectionAgeMs;
}

/**
 * Whether the server of an endpoint has announced its shutdown in `discovery`. Its record will be deleted
 * next, and counts as removed already. A field `draining` in `metadata` is the user's own and has no effect.
 */
export function isDraining({ discovery }: Endpoint): boolean {
  return discovery?.draining === true;
}

/** A copy of an endpoint with the announcement that its server is shutting down. */
export function drainingEndpoint(endpoint: Endpoint): Endpoint {
  return { ...endpoint, discovery: { ...endpoint.discovery, draining: true } };
}

/** One field of an endpoint's metadata, `undefined` if there is none. */
export function metadataField(endpoint: Endpoint, name: string): JsonValue | undefined {
  const { metadata } = endpoint;
  if (metadata === null || typeof metadata !== 'object' || Array.isArray(metadata))
    return undefined;
  return Object.hasOwn(metadata, name)
    ? (metadata as { readonly [key: string]: JsonValue })[name]
    : undefined;
}

/** A field of an endpoint's record: from `discovery` if the record has one, else from `metadata`. */
function fieldOf<Field extends 'weight' | 'version' | 'zone'>(
  endpoint: Endpoint,
  name: Field,
  inMetadata: (value: JsonValue | undefined) => DiscoveryFields[Field],
): DiscoveryFields[Field] {
  const { discovery } = endpoint;
  return discovery === undefined ? inMetadata(metadataField(endpoint, name)) : discovery[name];
}

function numberOf(value: JsonValue | undefined): number | undefined {
  if (typeof value === 'string' && value.trim() !== '') return Number(value);
  return typeof value === 'number' ? value : undefined;
}

function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' ? String(value) : undefined;
}
