/**
 * A gRPC service config in JSON, as a service publishes it for its clients.
 * Source: grpc/doc/service_config.md and grpc-proto `service_config.proto`; standard fields as grpc-go reads them.
 */
import type { MethodConfig, ServiceConfig } from '@grpc/grpc-js';
import {
  type JsonObject,
  present,
  readArray,
  readBoolean,
  readDurationMs,
  readInteger,
  readNumber,
  readObject,
  readStatusCodes,
  readText,
  reject,
  ServiceConfigError,
} from './json-reader.js';
import { readServicePolicy, type ServicePolicy } from './service-config-policy.js';

/** What a service asks of its clients; everything may be left out. */
export interface PublishedConfig {
  readonly policy: ServicePolicy | undefined;
  /** In grpc-js's form. */
  readonly methodConfig: readonly MethodConfig[];
  readonly retryThrottling: ServiceConfig['retryThrottling'];
  /** The service to ask `grpc.health.v1` about; `undefined`: the client decides. */
  readonly healthService: string | undefined;
}

/** A config, or why it is none. */
export type ParsedServiceConfig =
  | { readonly ok: true; readonly config: PublishedConfig }
  | { readonly ok: false; readonly reason: string };

/** Reads a service config. Never throws. */
export function parseServiceConfig(text: string): ParsedServiceConfig {
  try {
    return { ok: true, config: readConfig(readObject('the service config', JSON.parse(text))) };
  } catch (error) {
    if (error instanceof ServiceConfigError) return { ok: false, reason: error.message };
    return { ok: false, reason: `it is not JSON: ${String(error)}` };
  }
}

function readConfig(fields: JsonObject): PublishedConfig {
  const { loadBalancingConfig, methodConfig, retryThrottling, healthCheckConfig } = fields;
  const legacy = readText('loadBalancingPolicy', fields['loadBalancingPolicy'])?.toLowerCase();
  const policies = loadBalancingConfig ?? (legacy === undefined ? undefined : [{ [legacy]: {} }]);
  const health =
    healthCheckConfig === undefined
      ? undefined
      : readObject('healthCheckConfig', healthCheckConfig)['serviceName'];
  return {
    policy: policies === undefined ? undefined : readServicePolicy('loadBalancingConfig', policies),
    methodConfig: readArray('methodConfig', methodConfig ?? []).map((entry, at) =>
      readMethodConfig(`methodConfig[${at}]`, entry),
    ),
    retryThrottling: retryThrottling === undefined ? undefined : readThrottling(retryThrottling),
    healthService: readText('healthCheckConfig.serviceName', health),
  };
}

function readMethodConfig(path: string, value: unknown): MethodConfig {
  const fields = readObject(path, value);
  const { retryPolicy, hedgingPolicy } = fields;
  if (retryPolicy !== undefined && hedgingPolicy !== undefined) {
    return reject(path, 'one with both', 'either retryPolicy or hedgingPolicy');
  }
  const timeoutMs = readDurationMs(`${path}.timeout`, fields['timeout']);
  return {
    name: readArray(`${path}.name`, fields['name'] ?? []).map((name, at) =>
      readName(`${path}.name[${at}]`, name),
    ),
    ...present({
      waitForReady: readBoolean(`${path}.waitForReady`, fields['waitForReady']),
      timeout: timeoutMs === undefined ? undefined : toDuration(timeoutMs),
      maxRequestBytes: readBytes(
        `${path}.maxRequestMessageBytes`,
        fields['maxRequestMessageBytes'],
      ),
      maxResponseBytes: readBytes(
        `${path}.maxResponseMessageBytes`,
        fields['maxResponseMessageBytes'],
      ),
      retryPolicy:
        retryPolicy === undefined ? undefined : readRetry(`${path}.retryPolicy`, retryPolicy),
      hedgingPolicy:
        hedgingPolicy === undefined
          ? undefined
          : readHedging(`${path}.hedgingPolicy`, hedgingPolicy),
    }),
  };
}

function readName(path: string, value: unknown): MethodConfig['name'][number] {
  const fields = readObject(path, value);
  const service = readText(`${path}.service`, fields['service']) ?? '';
  const method = readText(`${path}.method`, fields['method']) ?? '';
  if (service === '' && method !== '') return reject(`${path}.service`, service, 'a service name');
  return { ...(service === '' ? {} : { service }), ...(method === '' ? {} : { method }) };
}

function readRetry(path: string, value: unknown): NonNullable<MethodConfig['retryPolicy']> {
  const fields = readObject(path, value);
  return {
    maxAttempts: readAttempts(path, fields),
    initialBackoff: readBackoff(`${path}.initialBackoff`, fields['initialBackoff']),
    maxBackoff: readBackoff(`${path}.maxBackoff`, fields['maxBackoff']),
    backoffMultiplier:
      readNumber(`${path}.backoffMultiplier`, fields['backoffMultiplier'] ?? null, 0.001, 1_000) ??
      1,
    retryableStatusCodes: readStatusCodes(
      `${path}.retryableStatusCodes`,
      fields['retryableStatusCodes'],
    ),
  };
}

function readHedging(path: string, value: unknown): NonNullable<MethodConfig['hedgingPolicy']> {
  const fields = readObject(path, value);
  const { hedgingDelay } = fields;
  return {
    maxAttempts: readAttempts(path, fields),
    // None, or zero: all attempts at once.
    hedgingDelay:
      hedgingDelay === undefined || hedgingDelay === '0s'
        ? '0s'
        : readBackoff(`${path}.hedgingDelay`, hedgingDelay),
    nonFatalStatusCodes: readStatusCodes(
      `${path}.nonFatalStatusCodes`,
      fields['nonFatalStatusCodes'] ?? [],
      true,
    ),
  };
}

/** gRFC A6: more than five count as five. */
function readAttempts(path: string, fields: JsonObject): number {
  const name = `${path}.maxAttempts`;
  return Math.min(readInteger(name, fields['maxAttempts'] ?? null, 2, 1_000_000) ?? 2, 5);
}

/** A duration that grpc-js takes as text, in the form it reads. */
function readBackoff(path: string, value: unknown): string {
  return `${(readDurationMs(path, value ?? null) ?? 0) / 1_000}s`;
}

function readThrottling(value: unknown): NonNullable<ServiceConfig['retryThrottling']> {
  const fields = readObject('retryThrottling', value);
  return {
    maxTokens: readInteger('retryThrottling.maxTokens', fields['maxTokens'] ?? null, 1, 1_000) ?? 1,
    tokenRatio:
      readNumber('retryThrottling.tokenRatio', fields['tokenRatio'] ?? null, 0.001, 1_000) ?? 1,
  };
}

/** A 32-bit size; protobuf's JSON may write it as text. */
function readBytes(path: string, value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return readInteger(path, number, 0, 4_294_967_295);
}

function toDuration(milliseconds: number): NonNullable<MethodConfig['timeout']> {
  const seconds = Math.floor(milliseconds / 1_000);
  return { seconds, nanos: Math.round((milliseconds - seconds * 1_000) * 1_000_000) };
}
