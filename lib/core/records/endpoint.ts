/** An endpoint: one address at which a service can be called, and what its record says about it. */
import { type DiscoveryFields, isWeight } from './discovery-fields.js';

/** A value as Go's `encoding/json` and ours agree on it. `bigint` is written as a JSON integer. */
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
   * The `Metadata` of the record, as Go wrote or will read it: `null`, or what the server's user gave, usually a flat object. Where
   * there is no `discovery`, `weight`, `version` and `zone` in it are read (`endpointWeight` and so on).
   */
  readonly metadata: JsonValue;
  /** The `Discovery` of the record: what this library adds. Where it is there, the whole of it counts, and nothing of `metadata`. */
  readonly discovery?: DiscoveryFields;
  /**
   * Changes when another process (or the same one, after it had lost its registration) stands behind the address; `undefined`
   * where the registry cannot tell. On etcd the lease of the record.
   */
  readonly incarnation?: string;
}

/** The weight of an endpoint that does not say: 1. */
export const DEFAULT_WEIGHT = 1;

/**
 * An endpoint's share of calls relative to the others, above 0, up to 1,000,000; {@link DEFAULT_WEIGHT} where its record says none
 * or one out of these bounds. In `metadata` a number in a string counts too: a Go server may hold a `map[string]string` there.
 */
export function endpointWeight(endpoint: Endpoint): number {
  const weight = saidOf(endpoint, 'weight', numberOf);
  return isWeight(weight) ? weight : DEFAULT_WEIGHT;
}

/** The zone (failure domain) an endpoint says it runs in, if any. */
export function endpointZone(endpoint: Endpoint): string | undefined {
  return saidOf(endpoint, 'zone', textOf);
}

/** The version an endpoint says it runs, if any. */
export function endpointVersion(endpoint: Endpoint): string | undefined {
  return saidOf(endpoint, 'version', textOf);
}

/**
 * The age at which an endpoint's server leaves its connections, in milliseconds, 100–86,400,000, if it says so in `discovery`: a client
 * that renews its connections before loses no call to that.
 */
export function endpointConnectionAgeMs({ discovery }: Endpoint): number | undefined {
  return discovery?.maxConnectionAgeMs;
}

/**
 * Whether the server behind an endpoint has said in `discovery` that it leaves: its record is deleted next, and counts as gone already.
 * A field of that name in `metadata` is the user's own and says nothing.
 */
export function isDraining({ discovery }: Endpoint): boolean {
  return discovery?.draining === true;
}

/** The endpoint as its record says it once its server is about to leave. */
export function drainingEndpoint(endpoint: Endpoint): Endpoint {
  return { ...endpoint, discovery: { ...endpoint.discovery, draining: true } };
}

/** One field of an endpoint's metadata, `undefined` where there is none. */
export function metadataField(endpoint: Endpoint, name: string): JsonValue | undefined {
  const { metadata } = endpoint;
  if (metadata === null || typeof metadata !== 'object' || Array.isArray(metadata))
    return undefined;
  return Object.hasOwn(metadata, name)
    ? (metadata as { readonly [key: string]: JsonValue })[name]
    : undefined;
}

/** What the record says under a name: in `discovery` where it has that, else in `metadata`. */
function saidOf<Field extends 'weight' | 'version' | 'zone'>(
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
