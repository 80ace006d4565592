/** Checks the services an application announces. */
import { formatAddress, isWildcardHost, parseAddress, SERVER_ADDRESS } from '../../core/address.js';
import { DiscoveryError } from '../../core/discovery-error.js';
import { type DiscoveryFields, WEIGHT } from '../../core/records/discovery-fields.js';
import { SERVICE_NAME } from '../../core/service-name.js';
import type { JsonValue } from '../../core/records/endpoint.js';
import { encodeGoJson } from '../../core/records/go-json.js';
import {
  type Fields,
  FIELDS,
  inWords,
  TEXT,
  type ValueRule,
  wholeNumber,
} from '../../core/values/value-rule.js';
import type { ReadFields } from '../../core/values/value-reader.js';
import { optionReader } from './option-reader.js';

/** The fields of `service.metadata`, which are the record's `Metadata`. */
type Metadata = { readonly [key: string]: JsonValue };

/** The fields that can change while a service is registered; a field that is `undefined` keeps its value. */
export interface RecordUpdate {
  readonly weight?: number;
  readonly version?: string;
  readonly zone?: string;
  readonly metadata?: Metadata;
}

/** The content of a service's records, without the addresses and the fields that the application adds. */
export interface RecordContent {
  /** The user's metadata, without any addition; an empty object becomes `null`. */
  readonly metadata: Metadata | null;
  readonly discovery: Pick<DiscoveryFields, 'weight' | 'version' | 'zone'>;
}

/** A service with its defaults filled in. */
export interface ResolvedService extends RecordContent {
  readonly name: string;
  readonly ttlSeconds: number;
  readonly address: string | undefined;
  readonly host: string | undefined;
  readonly server: string | undefined;
  readonly key: string | undefined;
  readonly drainDelayMs: number;
  readonly drainTimeoutMs: number;
  readonly maxConnectionAgeMs: number | undefined;
  readonly maxConnectionAgeGraceMs: number;
}

/** A host that clients can dial, without a port; the brackets of an IPv6 host are removed. */
const HOST: ValueRule<string> = {
  read: (value) => {
    const host = TEXT.read(value)?.replace(/^\[|\]$/g, '');
    if (host === undefined || isWildcardHost(host) || /^[^:]+:\d+$/.test(host)) return undefined;
    return parseAddress(formatAddress(host, 1)) === undefined ? undefined : host;
  },
  allowed: () => 'a host name or address without a port, no wildcard',
};

const JSON_VALUES = inWords('an object of JSON values', FIELDS);

/** The rules for the fields that can change while a service is registered. */
const RECORD_RULES = { weight: WEIGHT, version: TEXT, zone: TEXT, metadata: JSON_VALUES };

const SERVICE_RULES = {
  name: SERVICE_NAME,
  ttlSeconds: wholeNumber(1, 86_400),
  address: SERVER_ADDRESS,
  host: HOST,
  server: TEXT,
  ...RECORD_RULES,
  key: TEXT,
  drainDelayMs: wholeNumber(0, 600_000),
  drainTimeoutMs: wholeNumber(0, 3_600_000),
  maxConnectionAgeMs: wholeNumber(100, 86_400_000),
  maxConnectionAgeGraceMs: wholeNumber(0, 86_400_000),
};
/**
 * Names that the user's metadata must not contain, nor `draining`. Clients read `weight`, `version` and
 * `zone` from the metadata of a record without the field `Discovery`, and ignore them in the metadata of all
 * other records. Older clients take `maxConnectionAgeMs` and `draining` for the fields of `Discovery` with
 * these names.
 */
const OPTIONS_OF_THEIR_OWN = ['weight', 'version', 'zone', 'maxConnectionAgeMs'] as const;
const DRAINING = 'draining';
const DEFAULT_TTL_SECONDS = 10;
/**
 * The default of `drainDelayMs`. Clients learn of a removal within milliseconds, and coalesce changes for at
 * most 50 ms; the rest is a margin for slow networks.
 */
const DEFAULT_DRAIN_DELAY_MS = 200;
/** The default of `drainTimeoutMs`: well below the 30 s after which orchestrators kill a process. */
export const DEFAULT_DRAIN_TIMEOUT_MS = 10_000;

/**
 * Checks the `service` option: one service, or several.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function validateServices(value: unknown): readonly ResolvedService[] {
  if (value === undefined) return [];
  const isList = Array.isArray(value);
  const services = (isList ? value : [value]).map((entry: unknown, index) =>
    validateService(isList ? `service[${index}]` : 'service', entry),
  );
  const names = services.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) optionReader.reject('service', twice, 'each service name once');
  return Object.freeze(services);
}

function validateService(option: string, value: unknown): ResolvedService {
  const given = optionReader.record(option, value, SERVICE_RULES);
  const { host, address } = given;
  if (host !== undefined && address !== undefined) {
    optionReader.reject(`${option}.host`, host, 'none beside address, which has a host');
  }
  return Object.freeze({
    name: optionReader.required(`${option}.name`, given.name, SERVICE_NAME),
    ttlSeconds: given.ttlSeconds ?? DEFAULT_TTL_SECONDS,
    address,
    host,
    server: given.server,
    key: given.key,
    drainDelayMs: given.drainDelayMs ?? DEFAULT_DRAIN_DELAY_MS,
    drainTimeoutMs: given.drainTimeoutMs ?? DEFAULT_DRAIN_TIMEOUT_MS,
    maxConnectionAgeMs: given.maxConnectionAgeMs,
    maxConnectionAgeGraceMs: given.maxConnectionAgeGraceMs ?? DEFAULT_DRAIN_TIMEOUT_MS,
    ...recordContent(option, given),
  });
}

function recordContent(
  option: string,
  { weight, version, zone, metadata }: ReadFields<typeof RECORD_RULES>,
): RecordContent {
  return Object.freeze({
    metadata:
      metadata === undefined ? null : validateMetadata(`${option}.metadata`, metadata, option),
    discovery: Object.freeze({
      ...(weight === undefined ? {} : { weight }),
      ...(version === undefined ? {} : { version }),
      ...(zone === undefined ? {} : { zone }),
    }),
  });
}

function validateMetadata(option: string, given: Fields, parent: string): Metadata | null {
  const own = OPTIONS_OF_THEIR_OWN.find((field) => Object.hasOwn(given, field));
  if (own !== undefined) {
    const allowed = `none; there is an option ${parent}.${own}`;
    optionReader.reject(`${option}.${own}`, given[own], allowed);
  }
  if (Object.hasOwn(given, DRAINING)) {
    const allowed = 'none; a record says it by itself when its server leaves';
    optionReader.reject(`${option}.${DRAINING}`, given[DRAINING], allowed);
  }
  const metadata = requireJson(option, given);
  return Object.keys(metadata).length === 0 ? null : Object.freeze({ ...metadata });
}

/**
 * The content of a service's records after a change at run time. New metadata is merged into the old, field
 * by field.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function updatedRecord(
  option: string,
  before: RecordContent,
  change: RecordUpdate,
): RecordContent {
  const given = optionReader.record(option, change, RECORD_RULES);
  const { metadata, discovery } = recordContent(option, given);
  return Object.freeze({
    metadata:
      metadata === null ? before.metadata : Object.freeze({ ...before.metadata, ...metadata }),
    discovery: Object.freeze({ ...before.discovery, ...discovery }),
  });
}

function requireJson(option: string, value: Fields): Metadata {
  const metadata = value as Metadata;
  try {
    encodeGoJson(metadata);
  } catch (error) {
    const reason = error instanceof DiscoveryError ? error.detail : String(error);
    optionReader.reject(option, `not JSON (${reason})`, JSON_VALUES.allowed(value));
  }
  return metadata;
}
