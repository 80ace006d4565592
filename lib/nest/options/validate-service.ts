/** Checks the services an application announces. */
import { isWildcardHost, parseAddress } from '../../core/address.js';
import { DiscoveryError } from '../../core/discovery-error.js';
import {
  type DiscoveryFields,
  isWeight,
  WEIGHT_ALLOWED,
} from '../../core/records/discovery-fields.js';
import { isServiceName, SERVICE_NAME_ALLOWED } from '../../core/service-name.js';
import type { JsonValue } from '../../core/records/endpoint.js';
import { encodeGoJson } from '../../core/records/go-json.js';
import {
  optionalInteger,
  optionalString,
  rejectOption,
  requireArray,
  requireObject,
  requireString,
} from './option-reader.js';

/** The fields of `service.metadata`, which are the record's `Metadata`. */
export type Metadata = { readonly [key: string]: JsonValue };

/** What can be changed while a service is registered; fields that are `undefined` stay as they are. */
export interface RecordUpdate {
  readonly weight?: number;
  readonly version?: string;
  readonly zone?: string;
  readonly metadata?: Metadata;
}

/** What the records of a service say, beside their addresses and what the application adds. */
export interface RecordContent {
  /** What the user gave, and nothing else; an empty object counts as `null`. */
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

const SERVICE_FIELDS = [
  'name',
  'ttlSeconds',
  'address',
  'host',
  'server',
  'weight',
  'version',
  'zone',
  'metadata',
  'key',
  'drainDelayMs',
  'drainTimeoutMs',
  'maxConnectionAgeMs',
  'maxConnectionAgeGraceMs',
] as const;
/**
 * Names that metadata must not have. The first three would be read there where a record has no `Discovery`, and be ignored where it
 * has one; older clients take the others for what `Discovery` says.
 */
const OPTIONS_OF_THEIR_OWN = ['weight', 'version', 'zone', 'maxConnectionAgeMs'] as const;
const DRAINING = 'draining';
const DEFAULT_TTL_SECONDS = 10;
/** Clients hear of a removal within milliseconds, gathered for 50 ms at most; the rest is margin for slow networks. */
const DEFAULT_DRAIN_DELAY_MS = 200;
/** Well below the 30 s after which orchestrators kill. */
export const DEFAULT_DRAIN_TIMEOUT_MS = 10_000;

/**
 * Checks the `service` option: one service, or several.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function validateServices(value: unknown): readonly ResolvedService[] {
  if (value === undefined) return [];
  const list = Array.isArray(value) ? requireArray('service', value, 'services') : [value];
  const services = list.map((entry, index) =>
    validateService(Array.isArray(value) ? `service[${index}]` : 'service', entry),
  );
  const names = services.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) rejectOption('service', twice, 'each service name once');
  return Object.freeze(services);
}

function validateService(option: string, value: unknown): ResolvedService {
  const given = requireObject<(typeof SERVICE_FIELDS)[number]>(option, value, SERVICE_FIELDS);
  return Object.freeze({
    name: validateServiceName(`${option}.name`, given.name),
    ttlSeconds:
      optionalInteger(`${option}.ttlSeconds`, given.ttlSeconds, 1, 86_400) ?? DEFAULT_TTL_SECONDS,
    address: validateAddress(`${option}.address`, given.address),
    host: validateHost(`${option}.host`, given.host, given.address),
    server: optionalString(`${option}.server`, given.server),
    key: optionalString(`${option}.key`, given.key),
    drainDelayMs:
      optionalInteger(`${option}.drainDelayMs`, given.drainDelayMs, 0, 600_000) ??
      DEFAULT_DRAIN_DELAY_MS,
    drainTimeoutMs:
      optionalInteger(`${option}.drainTimeoutMs`, given.drainTimeoutMs, 0, 3_600_000) ??
      DEFAULT_DRAIN_TIMEOUT_MS,
    maxConnectionAgeMs: optionalInteger(
      `${option}.maxConnectionAgeMs`,
      given.maxConnectionAgeMs,
      100,
      86_400_000,
    ),
    maxConnectionAgeGraceMs:
      optionalInteger(
        `${option}.maxConnectionAgeGraceMs`,
        given.maxConnectionAgeGraceMs,
        0,
        86_400_000,
      ) ?? DEFAULT_DRAIN_TIMEOUT_MS,
    ...validateRecord(option, given),
  });
}

/** A service name: what stands before the slash in a record's key. */
export function validateServiceName(option: string, value: unknown): string {
  const name = requireString(option, value, SERVICE_NAME_ALLOWED);
  return isServiceName(name) ? name : rejectOption(option, value, SERVICE_NAME_ALLOWED);
}

function validateAddress(option: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const allowed =
    'host:port or [ipv6]:port with a port from 1 to 65535 and a host that is no wildcard, or unix:path';
  const parsed = typeof value === 'string' ? parseAddress(value) : undefined;
  if (parsed === undefined) return rejectOption(option, value, allowed);
  if (parsed.kind === 'tcp' && isWildcardHost(parsed.host)) rejectOption(option, value, allowed);
  return value as string;
}

function validateHost(option: string, value: unknown, address: unknown): string | undefined {
  if (value === undefined) return undefined;
  const allowed = 'a host name or address without a port, no wildcard';
  if (address !== undefined) rejectOption(option, value, 'none beside address, which has a host');
  const host = requireString(option, value, allowed).replace(/^\[|\]$/g, '');
  const dialable = parseAddress(host.includes(':') ? `[${host}]:1` : `${host}:1`) !== undefined;
  const portGiven = /^[^:]+:\d+$/.test(host);
  return !dialable || portGiven || isWildcardHost(host)
    ? rejectOption(option, value, allowed)
    : host;
}

function validateRecord(
  option: string,
  given: RecordUpdate | Partial<Record<(typeof SERVICE_FIELDS)[number], unknown>>,
): RecordContent {
  const weight = validateWeight(`${option}.weight`, given.weight);
  const version = optionalString(`${option}.version`, given.version);
  const zone = optionalString(`${option}.zone`, given.zone);
  return Object.freeze({
    metadata: validateMetadata(`${option}.metadata`, given.metadata, option),
    discovery: Object.freeze({
      ...(weight === undefined ? {} : { weight }),
      ...(version === undefined ? {} : { version }),
      ...(zone === undefined ? {} : { zone }),
    }),
  });
}

function validateMetadata(option: string, given: unknown, parent: string): Metadata | null {
  if (given === undefined) return null;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return rejectOption(option, given, 'an object of JSON values');
  }
  const own = OPTIONS_OF_THEIR_OWN.find((field) => Object.hasOwn(given, field));
  if (own !== undefined) {
    const clash: unknown = Reflect.get(given, own);
    rejectOption(`${option}.${own}`, clash, `none; there is an option ${parent}.${own}`);
  }
  if (Object.hasOwn(given, DRAINING)) {
    const clash: unknown = Reflect.get(given, DRAINING);
    const allowed = 'none; a record says it by itself when its server leaves';
    rejectOption(`${option}.${DRAINING}`, clash, allowed);
  }
  const metadata = requireJson(option, given);
  return Object.keys(metadata).length === 0 ? null : Object.freeze({ ...metadata });
}

/**
 * What the records of a service say after a live change: given metadata is added to what is there, field by field.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function updatedRecord(
  option: string,
  before: RecordContent,
  change: RecordUpdate,
): RecordContent {
  requireObject(option, change, ['weight', 'version', 'zone', 'metadata']);
  const { metadata, discovery } = validateRecord(option, change);
  return Object.freeze({
    metadata:
      metadata === null ? before.metadata : Object.freeze({ ...before.metadata, ...metadata }),
    discovery: Object.freeze({ ...before.discovery, ...discovery }),
  });
}

/** A weight: above 0, up to a million. */
export function validateWeight(option: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  return isWeight(value) ? value : rejectOption(option, value, WEIGHT_ALLOWED);
}

function requireJson(option: string, value: unknown): Metadata {
  const metadata = value as Metadata;
  try {
    encodeGoJson(metadata);
  } catch (error) {
    const reason = error instanceof DiscoveryError ? error.detail : String(error);
    rejectOption(option, `not JSON (${reason})`, 'an object of JSON values');
  }
  return metadata;
}
