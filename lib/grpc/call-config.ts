/** What a channel tells gRPC about each call before it is sent: deadlines, retries, and what kind of call it is. */
import { type MethodConfig, type ServiceConfig, status } from '@grpc/grpc-js';
import { STREAM_MARK } from './endpoint-picker.js';
import type { ConfigSelector } from './grpc-experimental.js';
import type { PublishedConfig } from './service-config-json.js';
import { setWaitForReady } from './wait-for-ready.js';

/** What the service may decide for calls, because the client did not. */
export interface OpenChoices {
  readonly retries: boolean;
  readonly timeouts: boolean;
  readonly waitForReady: boolean;
}

/** Methods looked up so far that are remembered; one client has few. */
const MOST_REMEMBERED = 1_000;

/**
 * A config selector (gRFC A31) over the client's own method configs and those the service published.
 *
 * @param own the client's; its retries hold where the service says nothing about a method
 * @param streams paths of methods with a stream on either side, `/package.Service/Method`
 */
export function createCallConfigSelector(
  own: readonly MethodConfig[],
  published: PublishedConfig | undefined,
  open: OpenChoices,
  streams: ReadonlySet<string>,
): ConfigSelector {
  const known = new Map<string, MethodConfig>();
  const configOf = (path: string): MethodConfig => {
    const config = known.get(path) ?? merge(path, own, published?.methodConfig ?? [], open);
    if (known.size < MOST_REMEMBERED) known.set(path, config);
    return config;
  };
  return {
    invoke(path, metadata) {
      const methodConfig = configOf(path);
      // grpc-js reads it from the call alone. The metadata is the call's own copy here.
      if (methodConfig.waitForReady === true) setWaitForReady(metadata);
      // A fresh object for each call: the picker remembers on it where the call was.
      const pickInformation: Record<string, string> = {};
      if (streams.has(path)) pickInformation[STREAM_MARK] = 'yes';
      return {
        methodConfig,
        pickInformation,
        status: status.OK,
        dynamicFilterFactories: [],
      };
    },
    unref() {},
  };
}

function merge(
  path: string,
  own: readonly MethodConfig[],
  published: readonly MethodConfig[],
  open: OpenChoices,
): MethodConfig {
  const mine = findMethodConfig(path, own) ?? { name: [] };
  const theirs = findMethodConfig(path, published);
  if (theirs === undefined) return mine;
  const { retryPolicy, hedgingPolicy, timeout, waitForReady, ...limits } = theirs;
  const { retryPolicy: _, hedgingPolicy: __, ...rest } = mine;
  const theirRetries =
    retryPolicy !== undefined
      ? { retryPolicy }
      : hedgingPolicy !== undefined
        ? { hedgingPolicy }
        : undefined;
  return {
    ...(open.retries && theirRetries !== undefined ? { ...rest, ...theirRetries } : mine),
    ...limits,
    ...(open.timeouts && timeout !== undefined ? { timeout } : {}),
    ...(open.waitForReady && waitForReady !== undefined ? { waitForReady } : {}),
  };
}

/** The entry for a method: by service and method, else by service, else the one for all (grpc/doc/service_config.md). */
export function findMethodConfig(
  path: string,
  configs: ServiceConfig['methodConfig'] | readonly MethodConfig[],
): MethodConfig | undefined {
  const [, service = '', method = ''] = path.split('/');
  const named = (wantedService: string | undefined, wantedMethod: string | undefined) =>
    configs.find(({ name }) =>
      name.some(
        (one) =>
          (one.service ?? '') === (wantedService ?? '') &&
          (one.method ?? '') === (wantedMethod ?? ''),
      ),
    );
  return named(service, method) ?? named(service, undefined) ?? named(undefined, undefined);
}
