/** Checks channel options of Nest and grpc-js, because both ignore a wrong name or type without an error. */
import { closestName } from '../../core/closest-name.js';
import {
  arrayOf,
  BOOLEAN,
  inWords,
  ruleOf,
  TEXT,
  type ValueRule,
  wholeNumber,
} from '../../core/values/value-rule.js';
import { optionReader } from './option-reader.js';

/** The longest time that a Node timer can wait, in milliseconds; gRPC uses this number for "never". */
const LONGEST_MS = 2 ** 31 - 1;

/** A time in milliseconds, or a number of pings; -1 stands for "none". */
const COUNT = wholeNumber(-1, LONGEST_MS);
const KEEPALIVE_RULES = {
  keepaliveTimeMs: COUNT,
  keepaliveTimeoutMs: COUNT,
  keepalivePermitWithoutCalls: wholeNumber(0, 1),
  http2MaxPingsWithoutData: COUNT,
  http2MinTimeBetweenPingsMs: COUNT,
  http2MinPingIntervalWithoutDataMs: COUNT,
  http2MaxPingStrikes: COUNT,
};

const isFunction = (value: unknown): value is (...args: never[]) => unknown =>
  typeof value === 'function';
/** A constructor: the proto loader turns the values of `longs`, `enums` or `bytes` into this type. */
const CONSTRUCTOR = ruleOf('a constructor: String, Number or Array, no text', isFunction);
const FOLDERS = arrayOf('folders');
const LOADER_RULES = {
  keepCase: BOOLEAN,
  alternateCommentMode: BOOLEAN,
  preferTrailingComment: BOOLEAN,
  defaults: BOOLEAN,
  arrays: BOOLEAN,
  objects: BOOLEAN,
  oneofs: BOOLEAN,
  json: BOOLEAN,
  longs: CONSTRUCTOR,
  enums: CONSTRUCTOR,
  bytes: CONSTRUCTOR,
  includeDirs: FOLDERS,
};

/** Channel options of grpc-js 1.14 whose values are strings. */
const TEXT_OPTIONS = [
  'grpc.ssl_target_name_override',
  'grpc.primary_user_agent',
  'grpc.secondary_user_agent',
  'grpc.default_authority',
  'grpc.http_connect_target',
  'grpc.http_connect_creds',
];
/** Channel options of grpc-js 1.14 whose values are numbers; an option that is on or off has 1 or 0. */
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
const FUNCTIONS: ValueRule<readonly unknown[]> = ruleOf(
  'an array of functions',
  (value): value is readonly unknown[] => Array.isArray(value) && value.every(isFunction),
  'container',
);
/** The channel option with which plain grpc-js clients configure balancing and retries. */
const SERVICE_CONFIG = 'grpc.service_config';

/**
 * A channel option of gRPC that grpc-js does not have. Its name is close to that of another option, but it is
 * not a misspelling.
 */
const OTHER_OPTION = 'grpc.min_reconnect_backoff_ms';

/**
 * The greatest number of wrong letters in a name that counts as misspelt. With a few more it could be the
 * correct name of a channel option that only other languages of gRPC have.
 */
const MOST_MISSPELT = 2;

/** Names of the channel options that have an effect in this library. */
export const CHANNEL_OPTIONS: readonly string[] = [
  ...TEXT_OPTIONS,
  ...NUMBER_OPTIONS,
  ...FUNCTION_OPTIONS,
  ...LIST_OPTIONS,
];

/** The rules for the values of the channel options that have an effect in this library. */
const CHANNEL_RULES: ReadonlyMap<string, ValueRule<unknown>> = new Map([
  ...rulesOf(TEXT_OPTIONS, inWords('a text', TEXT)),
  ...rulesOf(
    NUMBER_OPTIONS,
    ruleOf(
      'a number; a switch is 0 or 1',
      (value): value is number => typeof value === 'number' && !Number.isNaN(value),
    ),
  ),
  ...rulesOf(FUNCTION_OPTIONS, ruleOf('a function', isFunction)),
  ...rulesOf(LIST_OPTIONS, FUNCTIONS),
]);

/** Checks Nest's option `keepalive`. */
export function checkKeepalive(option: string, value: unknown): void {
  optionReader.record(option, value, KEEPALIVE_RULES);
}

/** Checks Nest's option `loader`: the options of `@grpc/proto-loader`. */
export function checkLoader(option: string, value: unknown): void {
  const { includeDirs = [] } = optionReader.record(option, value, LOADER_RULES);
  for (const folder of includeDirs) optionReader.required(`${option}.includeDirs`, folder, TEXT);
}

/** Checks grpc-js's channel options. {@link unknownChannelOptions} lists those that grpc-js does not know. */
export function checkChannelOptions(option: string, value: object): void {
  for (const [name, given] of Object.entries(value) as [string, unknown][]) {
    if (given !== undefined) checkChannelOption(`${option}["${name}"]`, name, given);
  }
  const both = LIST_OPTIONS.every((name) => (Reflect.get(value, name) as unknown) !== undefined);
  if (both) {
    optionReader.reject(`${option}.interceptor_providers`, 'given', 'one of it and interceptors');
  }
}

function checkChannelOption(option: string, name: string, value: unknown): void {
  if (name === SERVICE_CONFIG) {
    // The resolver's service config takes precedence: grpc-js would ignore this option without an error.
    const instead = 'none; use loadBalancing, retry and timeoutMs, or publish it for all clients';
    optionReader.reject(option, value, instead);
  }
  if (name === 'channelOverride') {
    const allowed = 'none; the channel is made for the service and its endpoints';
    optionReader.reject(option, 'given', allowed);
  }
  const rule = CHANNEL_RULES.get(name);
  if (rule !== undefined) optionReader.required(option, value, rule);
  else if (name !== OTHER_OPTION) {
    const meant = meantOption(name);
    if (meant === undefined) return;
    const allowed = `none; grpc-js has no ${name}; did you mean ${meant}?`;
    optionReader.misplaced(option, value, allowed);
  }
}

function rulesOf(
  names: readonly string[],
  rule: ValueRule<unknown>,
): (readonly [string, ValueRule<unknown>])[] {
  return names.map((name) => [name, rule]);
}

/** The known option that a misspelt name most likely stands for; prefixes (`grpc.`) are not compared. */
function meantOption(name: string): string | undefined {
  const bare = CHANNEL_OPTIONS.map(withoutPrefix);
  const meant = closestName(withoutPrefix(name), bare, MOST_MISSPELT);
  return CHANNEL_OPTIONS.find((known) => withoutPrefix(known) === meant);
}

function withoutPrefix(name: string): string {
  return name.replace(/^grpc(?:-node)?\./, '');
}

/** The names among these channel options that grpc-js does not have, and which therefore have no effect. */
export function unknownChannelOptions(value: object): string[] {
  return Object.keys(value).filter((name) => !CHANNEL_OPTIONS.includes(name));
}
