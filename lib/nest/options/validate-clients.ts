/** Checks client definitions. */
import { ChannelCredentials } from '@grpc/grpc-js';
import type { ClientDefaults, ClientDefinition, PackageDefinition } from './discovery-options.js';
import { assertOurGrpc } from '../one-copy.js';
import {
  optionalBoolean,
  optionalInteger,
  optionalString,
  refuseOption,
  rejectOption,
  requireArray,
  requireObject,
  requireString,
} from './option-reader.js';
import { describeUnknown } from './option-value.js';
import { checkChannelOptions, checkKeepalive, checkLoader } from './validate-channel.js';
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
  'protoLoader',
  'maxReceiveMessageLength',
  'maxSendMessageLength',
  'maxMetadataSize',
] as const;
const CLIENT_FIELDS = [
  'name',
  'service',
  'package',
  'protoPath',
  'packageDefinition',
  ...DEFAULT_FIELDS,
] as const;

/** Nest's own default. */
const DEFAULT_PROTO_LOADER = '@grpc/proto-loader';

/** Nest's own names for limits that are channel options too. A limit of -1 is none. */
export const SIZE_OPTIONS = {
  maxReceiveMessageLength: 'grpc.max_receive_message_length',
  maxSendMessageLength: 'grpc.max_send_message_length',
  maxMetadataSize: 'grpc.max_metadata_size',
} as const;
const SIZE_FIELDS = Object.keys(SIZE_OPTIONS) as (keyof typeof SIZE_OPTIONS)[];
const LARGEST_SIZE = 2 ** 31 - 1;

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
    package: packages(`${option}.package`, given.package),
    ...proto(option, given),
  });
}

/** Nest's word for declarations outside any package is the empty text. */
function packages(option: string, value: unknown): string | string[] {
  const allowed = 'a non-empty string, or an array of them; "" for a proto without a package';
  const list = Array.isArray(value) ? value : [value];
  const fits = list.length > 0 && list.every((name) => typeof name === 'string');
  return fits ? (value as string | string[]) : rejectOption(option, value, allowed);
}

function proto(
  option: string,
  { protoPath, packageDefinition }: Partial<Record<(typeof CLIENT_FIELDS)[number], unknown>>,
): Pick<ClientDefinition, 'protoPath' | 'packageDefinition'> {
  const path =
    protoPath === undefined && packageDefinition !== undefined
      ? {}
      : { protoPath: oneOrMore(`${option}.protoPath`, protoPath) };
  if (packageDefinition === undefined) return path;
  const name = `${option}.packageDefinition`;
  const definition = requireFields(name, packageDefinition) as PackageDefinition;
  if (Object.keys(definition).length === 0) {
    rejectOption(name, definition, 'what loadSync of @grpc/proto-loader returns, not empty');
  }
  return { ...path, packageDefinition: definition };
}

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateClientDefaults(option: string, value: unknown): ClientDefaults {
  const given = requireObject<(typeof DEFAULT_FIELDS)[number]>(option, value, DEFAULT_FIELDS);
  return Object.freeze(checkDefaults(option, given));
}

type GivenDefaults = Partial<Record<(typeof DEFAULT_FIELDS)[number], unknown>>;

function checkDefaults(option: string, given: GivenDefaults): ClientDefaults {
  const { loadBalancing, credentials } = given;
  if (loadBalancing !== undefined) {
    validateLoadBalancing(`${option}.loadBalancing`, loadBalancing);
  }
  optionalInteger(`${option}.subsetSize`, given.subsetSize, 1, 100_000);
  optionalString(`${option}.zone`, given.zone);
  optionalBoolean(`${option}.waitForReady`, given.waitForReady);
  if (given.retry !== undefined) validateRetry(`${option}.retry`, given.retry);
  if (credentials !== undefined && !isChannelCredentials(credentials)) {
    assertOurGrpc(`option ${option}.credentials`, credentials);
    rejectOption(`${option}.credentials`, credentials, 'ChannelCredentials of @grpc/grpc-js');
  }
  optionalInteger(`${option}.timeoutMs`, given.timeoutMs, 1, 3_600_000);
  optionalString(`${option}.protoLoader`, given.protoLoader);
  if (given.keepalive !== undefined) checkKeepalive(`${option}.keepalive`, given.keepalive);
  checkLoading(option, given);
  checkChannel(option, given);
  const present = DEFAULT_FIELDS.filter((field) => given[field] !== undefined);
  return Object.fromEntries(present.map((field) => [field, given[field]]));
}

/** A loader of the user's own has options of its own. */
function checkLoading(option: string, { loader, protoLoader }: GivenDefaults): void {
  if (loader === undefined) return;
  const isOurs = protoLoader === undefined || protoLoader === DEFAULT_PROTO_LOADER;
  if (isOurs) checkLoader(`${option}.loader`, loader);
  else requireFields(`${option}.loader`, loader);
}

function checkChannel(option: string, given: GivenDefaults): void {
  const { channelOptions = {} } = given;
  const name = `${option}.channelOptions`;
  const options = requireFields(name, channelOptions);
  checkChannelOptions(name, options);
  for (const field of SIZE_FIELDS) {
    checkSize(`${option}.${field}`, given[field]);
    const other = Reflect.get(options, SIZE_OPTIONS[field]) as unknown;
    if (given[field] === undefined || other === undefined) continue;
    rejectOption(
      `${option}.${field}`,
      given[field],
      `one of it and ${name}["${SIZE_OPTIONS[field]}"]`,
    );
  }
}

function checkSize(option: string, value: unknown): void {
  if (value === undefined || value === -1) return;
  const fits = Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= LARGEST_SIZE;
  const allowed = `a whole number of bytes from 1 to ${LARGEST_SIZE}, or -1 for no limit`;
  if (!fits) rejectOption(option, value, allowed);
}

function requireFields(option: string, value: unknown): object {
  const fits = typeof value === 'object' && value !== null && !Array.isArray(value);
  return fits ? value : refuseOption(option, describeUnknown(option, value), 'an object');
}

// Another copy of grpc-js has another class, and its credentials would not work: `instanceof` is meant.
function isChannelCredentials(value: unknown): boolean {
  return value instanceof ChannelCredentials;
}

function oneOrMore(option: string, value: unknown): string | string[] {
  if (Array.isArray(value) && value.length > 0) {
    return value.map((entry) => requireString(option, entry));
  }
  const allowed = 'a non-empty string, or an array of them; or packageDefinition in its place';
  return requireString(option, value, allowed);
}
