/**
 * Reads a gRPC service config in JSON, as a service publishes it for its clients.
 * Source: grpc/doc/service_config.md and grpc-proto `service_config.proto`; standard fields as grpc-go reads
 * them (`service_config.go`).
 */
import type { MethodConfig, ServiceConfig } from '@grpc/grpc-js';
import {
  ANY_TEXT,
  BOOLEAN,
  type Fields,
  numberAbove0,
  type ValueRule,
  wholeNumber,
} from '../../core/values/value-rule.js';
import {
  ARRAY,
  DURATION_MS,
  jsonReader,
  optional,
  present,
  readObject,
  readStatusCodes,
  required,
  ServiceConfigError,
  UINT64,
} from './json-reader.js';
import { readServicePolicy, type ServicePolicy } from './service-config-policy.js';

/** What a service asks of its clients; every field may be unset. */
export interface PublishedConfig {
  readonly policy: ServicePolicy | undefined;
  /** The settings of methods, in grpc-js's form. */
  readonly methodConfig: readonly MethodConfig[];
  readonly retryThrottling: ServiceConfig['retryThrottling'];
  /**
   * The service to ask `grpc.health.v1` about; empty: the server as a whole; `undefined`: the client decides.
   */
  readonly healthService: string | undefined;
}

/** A config, or why the text was rejected. */
type ParsedServiceConfig =
  | { readonly ok: true; readonly config: PublishedConfig }
  | { readonly ok: false; readonly reason: string };

/** The largest number of attempts; a larger one counts as this (gRFC A6). */
const MOST_ATTEMPTS = 5;
/** The longest delay that grpc-js can wait, in milliseconds: its timers fire after 1 ms for a longer one. */
const LONGEST_BACKOFF_MS = 2 ** 31 - 1;

const ATTEMPTS = wholeNumber(2, Number.MAX_SAFE_INTEGER);
const POSITIVE = numberAbove0();
const MAX_TOKENS = numberAbove0(1_000);
const BACKOFF_MS: ValueRule<number> = {
  read: (value) => {
    const milliseconds = DURATION_MS.read(value);
    return milliseconds !== undefined && milliseconds > 0
      ? Math.min(milliseconds, LONGEST_BACKOFF_MS)
      : undefined;
  },
  allowed: (value) =>
    DURATION_MS.read(value) === undefined ? DURATION_MS.allowed(value) : 'a duration above 0',
};

/** Reads a service config. Never throws. */
export function parseServiceConfig(text: string): ParsedServiceConfig {
  try {
    return { ok: true, config: readConfig(readObject('the service config', JSON.parse(text))) };
  } catch (error) {
    if (error instanceof ServiceConfigError) return { ok: false, reason: error.message };
    return { ok: false, reason: `it is not JSON: ${String(error)}` };
  }
}

function readConfig(fields: Fields): PublishedConfig {
  const legacy = optional(ANY_TEXT, '', fields, 'loadBalancingPolicy')?.toLowerCase();
  const policies =
    fields['loadBalancingConfig'] ?? (legacy === undefined ? undefined : [{ [legacy]: {} }]);
  const health = optional(readObject, '', fields, 'healthCheckConfig');
  const methodConfig = (optional(ARRAY, '', fields, 'methodConfig') ?? []).map((entry, at) =>
    readMethodConfig(`methodConfig[${at}]`, entry),
  );
  rejectRepeatedNames(methodConfig);
  return {
    policy: policies === undefined ? undefined : readServicePolicy('loadBalancingConfig', policies),
    methodConfig,
    retryThrottling: optional(readThrottling, '', fields, 'retryThrottling'),
    healthService: health && (optional(ANY_TEXT, 'healthCheckConfig', health, 'serviceName') ?? ''),
  };
}

function readMethodConfig(path: string, value: unknown): MethodConfig {
  const fields = readObject(path, value);
  if (fields['retryPolicy'] !== undefined && fields['hedgingPolicy'] !== undefined) {
    return jsonReader.reject(path, 'an entry with both', 'either retryPolicy or hedgingPolicy');
  }
  const timeoutMs = optional(DURATION_MS, path, fields, 'timeout');
  return {
    name: (optional(ARRAY, path, fields, 'name') ?? []).map((name, at) =>
      readName(`${path}.name[${at}]`, name),
    ),
    ...present({
      waitForReady: optional(BOOLEAN, path, fields, 'waitForReady'),
      // As in grpc-go, a negative timeout means no timeout.
      timeout: timeoutMs === undefined || timeoutMs < 0 ? undefined : toDuration(timeoutMs),
      maxRequestBytes: optional(UINT64, path, fields, 'maxRequestMessageBytes'),
      maxResponseBytes: optional(UINT64, path, fields, 'maxResponseMessageBytes'),
      retryPolicy: optional(readRetry, path, fields, 'retryPolicy'),
      hedgingPolicy: optional(readHedging, path, fields, 'hedgingPolicy'),
    }),
  };
}

function readName(path: string, value: unknown): MethodConfig['name'][number] {
  const fields = readObject(path, value);
  const service = optional(ANY_TEXT, path, fields, 'service') ?? '';
  const method = optional(ANY_TEXT, path, fields, 'method') ?? '';
  if (service === '' && method !== '')
    return jsonReader.reject(`${path}.service`, service, 'a service name');
  return { ...(service === '' ? {} : { service }), ...(method === '' ? {} : { method }) };
}

/**
 * Rejects a config with two entries for one method, as grpc-go does: such a config does not say which entry
 * counts.
 */
function rejectRepeatedNames(configs: readonly MethodConfig[]): void {
  const seen = new Set<string>();
  configs.forEach(({ name }, entry) =>
    name.forEach((one, at) => {
      const path = `/${one.service ?? ''}/${one.method ?? ''}`;
      if (seen.has(path)) {
        jsonReader.reject(
          `methodConfig[${entry}].name[${at}]`,
          one,
          'each service and method once',
        );
      }
      seen.add(path);
    }),
  );
}

function readRetry(path: string, value: unknown): NonNullable<MethodConfig['retryPolicy']> {
  const fields = readObject(path, value);
  const maxBackoffMs = required(BACKOFF_MS, path, fields, 'maxBackoff');
  // `maxBackoff` bounds the first delay as well; grpc-js itself does not apply it there.
  const initialMs = Math.min(required(BACKOFF_MS, path, fields, 'initialBackoff'), maxBackoffMs);
  return {
    maxAttempts: readAttempts(path, fields),
    initialBackoff: seconds(initialMs),
    maxBackoff: seconds(maxBackoffMs),
    backoffMultiplier: required(POSITIVE, path, fields, 'backoffMultiplier'),
    retryableStatusCodes: required(readSomeStatusCodes, path, fields, 'retryableStatusCodes'),
  };
}

function readSomeStatusCodes(path: string, value: unknown): string[] {
  const codes = readStatusCodes(path, value);
  return codes.length > 0 ? codes : jsonReader.reject(path, value, 'at least one status code');
}

function readHedging(path: string, value: unknown): NonNullable<MethodConfig['hedgingPolicy']> {
  const fields = readObject(path, value);
  const delayMs = optional(DURATION_MS, path, fields, 'hedgingDelay') ?? 0;
  if (delayMs < 0) {
    return jsonReader.reject(
      `${path}.hedgingDelay`,
      fields['hedgingDelay'],
      'a duration of 0 or more',
    );
  }
  return {
    maxAttempts: readAttempts(path, fields),
    hedgingDelay: seconds(Math.min(delayMs, LONGEST_BACKOFF_MS)),
    nonFatalStatusCodes: optional(readStatusCodes, path, fields, 'nonFatalStatusCodes') ?? [],
  };
}

function readAttempts(path: string, fields: Fields): number {
  return Math.min(required(ATTEMPTS, path, fields, 'maxAttempts'), MOST_ATTEMPTS);
}

function readThrottling(
  path: string,
  value: unknown,
): NonNullable<ServiceConfig['retryThrottling']> {
  const fields = readObject(path, value);
  return {
    maxTokens: required(MAX_TOKENS, path, fields, 'maxTokens'),
    tokenRatio: required(POSITIVE, path, fields, 'tokenRatio'),
  };
}

/** A duration in grpc-js's text form. */
function seconds(milliseconds: number): string {
  return `${milliseconds / 1_000}s`;
}

/** A duration in grpc-js's form of two numbers. */
function toDuration(milliseconds: number): NonNullable<MethodConfig['timeout']> {
  const seconds = Math.floor(milliseconds / 1_000);
  return { seconds, nanos: Math.round((milliseconds - seconds * 1_000) * 1_000_000) };
}
