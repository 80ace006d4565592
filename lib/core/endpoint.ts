/** An endpoint: one address at which a service can be called, and what its record says about it. */

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
   * The `Metadata` of the record, as Go wrote or will read it: `null` or usually a flat object. `weight`, `version`
   * and `zone` in it are read by the balancer (`endpointWeight` and so on).
   */
  readonly metadata: JsonValue;
  /**
   * Changes when another process (or the same one, after it had lost its registration) stands behind the address; `undefined`
   * where the registry cannot tell. On etcd the lease of the record.
   */
  readonly incarnation?: string;
}

/** The weight of an endpoint that does not say: 1. */
export const DEFAULT_WEIGHT = 1;

/** An endpoint's share of calls relative to the others: a finite number above 0, else {@link DEFAULT_WEIGHT}. */
export function endpointWeight(endpoint: Endpoint): number {
  const weight = metadataField(endpoint, 'weight');
  const value = typeof weight === 'string' && weight.trim() !== '' ? Number(weight) : weight;
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : DEFAULT_WEIGHT;
}

/** The zone (failure domain) an endpoint says it runs in, if any. */
export function endpointZone(endpoint: Endpoint): string | undefined {
  return stringField(endpoint, 'zone');
}

/** The version an endpoint says it runs, if any. */
export function endpointVersion(endpoint: Endpoint): string | undefined {
  return stringField(endpoint, 'version');
}

/** The ages a service may be given for its connections, in milliseconds: what else a record says was not written by one. */
const SHORTEST_CONNECTION_AGE_MS = 100;
const LONGEST_CONNECTION_AGE_MS = 86_400_000;

/**
 * The age at which an endpoint's server leaves its connections, in milliseconds, 100–86,400,000, if it says so: a client
 * that renews its connections before loses no call to that. An age out of range counts as none.
 */
export function endpointConnectionAgeMs(endpoint: Endpoint): number | undefined {
  const age = metadataField(endpoint, 'maxConnectionAgeMs');
  if (typeof age !== 'number') return undefined;
  return age >= SHORTEST_CONNECTION_AGE_MS && age <= LONGEST_CONNECTION_AGE_MS ? age : undefined;
}

/** Whether the server behind an endpoint has said that it leaves: its record is deleted next, and counts as gone already. */
export function isDraining(endpoint: Endpoint): boolean {
  return metadataField(endpoint, 'draining') === true;
}

/** The endpoint as its record says it once its server is about to leave; `undefined` where its metadata has no fields. */
export function drainingEndpoint(endpoint: Endpoint): Endpoint | undefined {
  const { metadata } = endpoint;
  if (metadata !== null && (typeof metadata !== 'object' || Array.isArray(metadata))) {
    return undefined;
  }
  return { ...endpoint, metadata: { ...metadata, draining: true } };
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

function stringField(endpoint: Endpoint, name: string): string | undefined {
  const value = metadataField(endpoint, name);
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' ? String(value) : undefined;
}
