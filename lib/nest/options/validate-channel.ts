/** Checks what Nest and grpc-js take for a channel, and would pass over without a word where a name or a type is wrong. */
import { closestName } from '../../core/closest-name.js';
import {
  optionalBoolean,
  optionalInteger,
  refuseOption,
  rejectOption,
  requireArray,
  requireObject,
  requireString,
} from './option-reader.js';
import { describeUnknown } from './option-value.js';

/** The longest time that a timer holds, in milliseconds; gRPC's word for never. */
const LONGEST_MS = 2 ** 31 - 1;

const KEEPALIVE_FIELDS = [
  'keepaliveTimeMs',
  'keepaliveTimeoutMs',
  'keepalivePermitWithoutCalls',
  'http2MaxPingsWithoutData',
  'http2MinTimeBetweenPingsMs',
  'http2MinPingIntervalWithoutDataMs',
  'http2MaxPingStrikes',
] as const;

const LOADER_FLAGS = [
  'keepCase',
  'alternateCommentMode',
  'preferTrailingComment',
  'defaults',
  'arrays',
  'objects',
  'oneofs',
  'json',
] as const;
/** Each of them takes the constructor of what is to be made: `String`, `Number`, `Array`. */
const LOADER_TYPES = ['longs', 'enums', 'bytes'] as const;

/** Channel options of grpc-js 1.14 that are texts. */
const TEXT_OPTIONS = [
  'grpc.ssl_target_name_override',
  'grpc.primary_user_agent',
  'grpc.secondary_user_agent',
  'grpc.default_authority',
  'grpc.http_connect_target',
  'grpc.http_connect_creds',
];
/** Channel options of grpc-js 1.14 that are numbers, switches among them: those are 0 or 1. */
const NUMBER_OPTIONS = [
  'grpc.keepalive_time_ms',
  'grpc.keepalive_timeout_ms',
  'grpc.keepalive_permit_without_calls',
  'grpc.max_concurrent_streams',
  'grpc.initial_reconnect_backoff_ms',
  'grpc.max_reconnect_backoff_ms',
  'grpc.use_local_subchannel_pool',
  'grpc.max_send_message_length',
  'grpc.max_receive_message_length',
  'grpc.enable_http_proxy',
  'grpc.default_compression_algorithm',
  'grpc.enable_channelz',
  'grpc.dns_min_time_between_resolutions_ms',
  'grpc.enable_retries',
  'grpc.per_rpc_retry_buffer_size',
  'grpc.retry_buffer_size',
  'grpc.max_connection_age_ms',
  'grpc.max_connection_age_grace_ms',
  'grpc.max_connection_idle_ms',
  'grpc-node.max_session_memory',
  'grpc.service_config_disable_resolution',
  'grpc.client_idle_timeout_ms',
  'grpc-node.tls_enable_trace',
  'grpc.lb.ring_hash.ring_size_cap',
  'grpc-node.retry_max_attempts_limit',
  'grpc-node.flow_control_window',
  'grpc.server_call_metric_recording',
];
const FUNCTION_OPTIONS = ['callInvocationTransformer', 'channelFactoryOverride'];
const LIST_OPTIONS = ['interceptors', 'interceptor_providers'];
/** The channel option by which plain grpc-js clients balance and retry. */
const SERVICE_CONFIG = 'grpc.service_config';

/** An option of gRPC that grpc-js does not have; too like another one to be taken for a mistake of spelling. */
const OTHER_OPTION = 'grpc.min_reconnect_backoff_ms';

/** Letters that a mistake of spelling has wrong at most: names of gRPC's other languages are nearly as like, and none. */
const MOST_MISSPELT = 2;

/** Names of channel options that mean something here. */
export const CHANNEL_OPTIONS: readonly string[] = [
  ...TEXT_OPTIONS,
  ...NUMBER_OPTIONS,
  ...FUNCTION_OPTIONS,
  ...LIST_OPTIONS,
];

/** Nest's `keepalive`. */
export function checkKeepalive(option: string, value: unknown): void {
  const given = requireObject<(typeof KEEPALIVE_FIELDS)[number]>(option, value, KEEPALIVE_FIELDS);
  for (const field of KEEPALIVE_FIELDS) {
    const isSwitch = field === 'keepalivePermitWithoutCalls';
    const [least, most] = isSwitch ? [0, 1] : [-1, LONGEST_MS];
    optionalInteger(`${option}.${field}`, given[field], least, most);
  }
}

/** Nest's `loader`, as `@grpc/proto-loader` reads it. */
export function checkLoader(option: string, value: unknown): void {
  const fields = [...LOADER_FLAGS, ...LOADER_TYPES, 'includeDirs'] as const;
  const given = requireObject<(typeof fields)[number]>(option, value, fields);
  for (const field of LOADER_FLAGS) optionalBoolean(`${option}.${field}`, given[field]);
  for (const field of LOADER_TYPES) {
    const type = given[field];
    if (type === undefined || typeof type === 'function') continue;
    rejectOption(`${option}.${field}`, type, 'a constructor: String, Number or Array, no text');
  }
  if (given.includeDirs === undefined) return;
  for (const folder of requireArray(`${option}.includeDirs`, given.includeDirs, 'folders')) {
    requireString(`${option}.includeDirs`, folder);
  }
}

/** grpc-js's channel options. Those that it does not know are left to {@link unknownChannelOptions}. */
export function checkChannelOptions(option: string, value: object): void {
  for (const [name, given] of Object.entries(value) as [string, unknown][]) {
    if (given !== undefined) checkChannelOption(`${option}["${name}"]`, name, given);
  }
  const both = LIST_OPTIONS.every((name) => (Reflect.get(value, name) as unknown) !== undefined);
  if (both) rejectOption(`${option}.interceptor_providers`, 'given', 'one of it and interceptors');
}

function checkChannelOption(option: string, name: string, value: unknown): void {
  if (name === SERVICE_CONFIG) {
    // The resolver's service config wins over the channel's own, which would be passed over without a word.
    const instead = 'none; use loadBalancing, retry and timeoutMs, or publish it for all clients';
    rejectOption(option, value, instead);
  }
  if (name === 'channelOverride') {
    rejectOption(option, 'given', 'none; the channel is made for the service and its endpoints');
  }
  if (TEXT_OPTIONS.includes(name)) requireString(option, value, 'a text');
  else if (NUMBER_OPTIONS.includes(name)) {
    const fits = typeof value === 'number' && !Number.isNaN(value);
    if (!fits) rejectOption(option, value, 'a number; a switch is 0 or 1');
  } else if (FUNCTION_OPTIONS.includes(name)) {
    if (typeof value !== 'function') rejectOption(option, value, 'a function');
  } else if (LIST_OPTIONS.includes(name)) {
    const list = requireArray(option, value, 'functions');
    if (list.some((one) => typeof one !== 'function')) rejectOption(option, value, 'functions');
  } else if (name !== OTHER_OPTION) {
    const meant = meantOption(name);
    if (meant === undefined) return;
    const allowed = `none; grpc-js has no ${name}; did you mean ${meant}?`;
    refuseOption(option, describeUnknown(option, value), allowed);
  }
}

/** The option of which a name is a misspelling, its prefix aside. */
function meantOption(name: string): string | undefined {
  const bare = CHANNEL_OPTIONS.map(withoutPrefix);
  const meant = closestName(withoutPrefix(name), bare, MOST_MISSPELT);
  return CHANNEL_OPTIONS.find((known) => withoutPrefix(known) === meant);
}

function withoutPrefix(name: string): string {
  return name.replace(/^grpc(?:-node)?\./, '');
}

/** Names of channel options that grpc-js does not have, and that are like none it has: they have no effect. */
export function unknownChannelOptions(value: object): string[] {
  return Object.keys(value).filter((name) => !CHANNEL_OPTIONS.includes(name));
}
