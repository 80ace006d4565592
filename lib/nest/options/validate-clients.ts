/** Checks client definitions. */
import { ChannelCredentials } from '@grpc/grpc-js';
import type { ClientDefaults, ClientDefinition, PackageDefinition } from './discovery-options.js';
import { assertOurGrpc } from '../one-copy.js';
import {
  arrayOf,
  BOOLEAN,
  FIELDS,
  inWords,
  ruleOf,
  TEXT,
  wholeNumber,
} from '../../core/values/value-rule.js';
import { SERVICE_NAME } from '../../core/service-name.js';
import { optionReader } from './option-reader.js';
import { checkChannelOptions, checkKeepalive, checkLoader } from './validate-channel.js';
import { validateLoadBalancing } from './validate-load-balancing.js';
import { validateRetry } from './validate-retry.js';

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

/** Nest's own default for `protoLoader`. */
const DEFAULT_PROTO_LOADER = '@grpc/proto-loader';

/** Nest's own names for size limits that are channel options too. A limit of -1 means no limit. */
export const SIZE_OPTIONS = {
  maxReceiveMessageLength: 'grpc.max_receive_message_length',
  maxSendMessageLength: 'grpc.max_send_message_length',
  maxMetadataSize: 'grpc.max_metadata_size',
} as const;
const SIZE_FIELDS = Object.keys(SIZE_OPTIONS) as (keyof typeof SIZE_OPTIONS)[];
const LARGEST_SIZE = 2 ** 31 - 1;

const CLIENTS = arrayOf('client definitions');
/** Nest uses the empty string for a proto without a package. */
const PACKAGES = ruleOf(
  'a non-empty string, or an array of them; "" for a proto without a package',
  (value): value is string | string[] => {
    const names: readonly unknown[] = Array.isArray(value) ? value : [value];
    return names.length > 0 && names.every((name) => typeof name === 'string');
  },
);
const PROTO_PATH = inWords(
  'a non-empty string, or an array of them; or packageDefinition in its place',
  TEXT,
);
const SUBSET_SIZE = wholeNumber(1, 100_000);
const TIMEOUT_MS = wholeNumber(1, 3_600_000);
const SIZE = ruleOf(
  `a whole number of bytes from 1 to ${LARGEST_SIZE}, or -1 for no limit`,
  (value): value is number =>
    value === -1 || wholeNumber(1, LARGEST_SIZE).read(value) !== undefined,
);
// `instanceof` is intended: another copy of grpc-js has another class, and its credentials would not work.
const CREDENTIALS = ruleOf(
  'ChannelCredentials of @grpc/grpc-js',
  (value): value is ChannelCredentials => value instanceof ChannelCredentials,
);

/** @throws DiscoveryError `INVALID_OPTION` if a definition is wrong, or a name is used twice */
export function validateClients(option: string, value: unknown): readonly ClientDefinition[] {
  const clients = optionReader
    .required(option, value, CLIENTS)
    .map((entry, index) => validateClient(`${option}[${index}]`, entry));
  const names = clients.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) optionReader.reject(option, twice, 'each client name once');
  return Object.freeze(clients);
}

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateClient(option: string, value: unknown): ClientDefinition {
  const given = optionReader.fields(option, value, CLIENT_FIELDS);
  const name = optionReader.required(`${option}.name`, given.name, TEXT);
  const service = optionReader.required(
    given.service === undefined ? `${option}.name` : `${option}.service`,
    given.service ?? name,
    SERVICE_NAME,
  );
  return Object.freeze({
    ...checkDefaults(option, given),
    name,
    service,
    package: optionReader.required(`${option}.package`, given.package, PACKAGES),
    ...proto(option, given),
  });
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
  const definition = optionReader.required(name, packageDefinition, FIELDS) as PackageDefinition;
  if (Object.keys(definition).length === 0) {
    optionReader.reject(name, definition, 'what loadSync of @grpc/proto-loader returns, not empty');
  }
  return { ...path, packageDefinition: definition };
}

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateClientDefaults(option: string, value: unknown): ClientDefaults {
  const given = optionReader.fields(option, value, DEFAULT_FIELDS);
  return Object.freeze(checkDefaults(option, given));
}

type GivenDefaults = Partial<Record<(typeof DEFAULT_FIELDS)[number], unknown>>;

function checkDefaults(option: string, given: GivenDefaults): ClientDefaults {
  const { loadBalancing, credentials } = given;
  if (loadBalancing !== undefined) {
    validateLoadBalancing(`${option}.loadBalancing`, loadBalancing);
  }
  optionReader.optional(`${option}.subsetSize`, given.subsetSize, SUBSET_SIZE);
  optionReader.optional(`${option}.zone`, given.zone, TEXT);
  optionReader.optional(`${option}.waitForReady`, given.waitForReady, BOOLEAN);
  if (given.retry !== undefined) validateRetry(`${option}.retry`, given.retry);
  if (credentials !== undefined && CREDENTIALS.read(credentials) === undefined) {
    assertOurGrpc(`option ${option}.credentials`, credentials);
    optionReader.required(`${option}.credentials`, credentials, CREDENTIALS);
  }
  optionReader.optional(`${option}.timeoutMs`, given.timeoutMs, TIMEOUT_MS);
  optionReader.optional(`${option}.protoLoader`, given.protoLoader, TEXT);
  if (given.keepalive !== undefined) checkKeepalive(`${option}.keepalive`, given.keepalive);
  checkLoading(option, given);
  checkChannel(option, given);
  const present = DEFAULT_FIELDS.filter((field) => given[field] !== undefined);
  return Object.fromEntries(present.map((field) => [field, given[field]]));
}

/**
 * Only the options of `@grpc/proto-loader` are known: those of a user's own loader must just be an object.
 */
function checkLoading(option: string, { loader, protoLoader }: GivenDefaults): void {
  if (loader === undefined) return;
  const isOurs = protoLoader === undefined || protoLoader === DEFAULT_PROTO_LOADER;
  if (isOurs) checkLoader(`${option}.loader`, loader);
  else optionReader.required(`${option}.loader`, loader, FIELDS);
}

function checkChannel(option: string, given: GivenDefaults): void {
  const { channelOptions = {} } = given;
  const name = `${option}.channelOptions`;
  const options = optionReader.required(name, channelOptions, FIELDS);
  checkChannelOptions(name, options);
  for (const field of SIZE_FIELDS) {
    optionReader.optional(`${option}.${field}`, given[field], SIZE);
    const other = options[SIZE_OPTIONS[field]];
    if (given[field] === undefined || other === undefined) continue;
    optionReader.reject(
      `${option}.${field}`,
      given[field],
      `one of it and ${name}["${SIZE_OPTIONS[field]}"]`,
    );
  }
}

function oneOrMore(option: string, value: unknown): string | string[] {
  if (Array.isArray(value) && value.length > 0) {
    return value.map((entry: unknown) => optionReader.required(option, entry, TEXT));
  }
  return optionReader.required(option, value, PROTO_PATH);
}
