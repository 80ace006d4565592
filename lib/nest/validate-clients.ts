/** Checks client definitions. */
import { ChannelCredentials } from '@grpc/grpc-js';
import type { ClientDefaults, ClientDefinition } from './discovery-options.js';
import {
  optionalBoolean,
  optionalInteger,
  optionalString,
  rejectOption,
  requireArray,
  requireObject,
  requireString,
} from './option-reader.js';
import { validateLoadBalancing } from './validate-load-balancing.js';
import { validateRetry } from './validate-retry.js';
import { validateServiceName } from './validate-service.js';

const DEFAULT_FIELDS = [
  'loadBalancing',
  'subsetSize',
  'zone',
  'timeoutMs',
  'retry',
  'waitForReady',
  'keepalive',
  'credentials',
  'channelOptions',
  'loader',
] as const;
const CLIENT_FIELDS = ['name', 'service', 'package', 'protoPath', ...DEFAULT_FIELDS] as const;

/** The channel option by which plain grpc-js clients balance and retry. */
const SERVICE_CONFIG = 'grpc.service_config';

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateClients(option: string, value: unknown): readonly ClientDefinition[] {
  const clients = requireArray(option, value, 'client definitions').map((entry, index) =>
    validateClient(`${option}[${index}]`, entry),
  );
  const names = clients.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) rejectOption(option, twice, 'each client name once');
  return Object.freeze(clients);
}

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateClient(option: string, value: unknown): ClientDefinition {
  const given = requireObject<(typeof CLIENT_FIELDS)[number]>(option, value, CLIENT_FIELDS);
  const name = requireString(`${option}.name`, given.name);
  const service = validateServiceName(
    given.service === undefined ? `${option}.name` : `${option}.service`,
    given.service ?? name,
  );
  return Object.freeze({
    ...checkDefaults(option, given),
    name,
    service,
    package: oneOrMore(`${option}.package`, given.package),
    protoPath: oneOrMore(`${option}.protoPath`, given.protoPath),
  });
}

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateClientDefaults(option: string, value: unknown): ClientDefaults {
  const given = requireObject<(typeof DEFAULT_FIELDS)[number]>(option, value, DEFAULT_FIELDS);
  return Object.freeze(checkDefaults(option, given));
}

function checkDefaults(
  option: string,
  given: Partial<Record<(typeof DEFAULT_FIELDS)[number], unknown>>,
): ClientDefaults {
  const { loadBalancing, credentials } = given;
  if (loadBalancing !== undefined) {
    validateLoadBalancing(`${option}.loadBalancing`, loadBalancing);
  }
  optionalInteger(`${option}.subsetSize`, given.subsetSize, 1, 100_000);
  optionalString(`${option}.zone`, given.zone);
  optionalBoolean(`${option}.waitForReady`, given.waitForReady);
  if (given.retry !== undefined) validateRetry(`${option}.retry`, given.retry);
  if (credentials !== undefined && !isChannelCredentials(credentials)) {
    rejectOption(`${option}.credentials`, credentials, 'ChannelCredentials of @grpc/grpc-js');
  }
  optionalInteger(`${option}.timeoutMs`, given.timeoutMs, 1, 3_600_000);
  for (const field of ['keepalive', 'channelOptions', 'loader'] as const) {
    const value = given[field];
    if (value === undefined) continue;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      rejectOption(`${option}.${field}`, value, 'an object');
    }
  }
  checkChannelOptions(`${option}.channelOptions`, given.channelOptions);
  const present = DEFAULT_FIELDS.filter((field) => given[field] !== undefined);
  return Object.fromEntries(present.map((field) => [field, given[field]]));
}

/** The resolver's service config wins over the channel's own, which would be passed over without a word. */
function checkChannelOptions(option: string, value: unknown): void {
  const own: unknown = Reflect.get((value ?? {}) as object, SERVICE_CONFIG);
  if (own === undefined) return;
  const instead = 'none; use loadBalancing, retry and timeoutMs, or publish it for all clients';
  rejectOption(`${option}["${SERVICE_CONFIG}"]`, own, instead);
}

// Another copy of grpc-js has another class, and its credentials would not work: `instanceof` is meant.
function isChannelCredentials(value: unknown): boolean {
  return value instanceof ChannelCredentials;
}

function oneOrMore(option: string, value: unknown): string | string[] {
  if (Array.isArray(value) && value.length > 0) {
    return value.map((entry) => requireString(option, entry));
  }
  return requireString(option, value, 'a non-empty string, or an array of them');
}
