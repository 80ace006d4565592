/**
 * What a channel tells gRPC about each call before the call is sent: deadlines, retries, and the kind of
 * call.
 */
import { type MethodConfig, type ServiceConfig, status } from '@grpc/grpc-js';
import { STREAM_MARK } from '../balancer/endpoint-picker.js';
import type { ConfigSelector } from '../grpc-js/grpc-experimental.js';
import { type AttemptRules, OWN_CALL, type OwnCallMark } from '../grpc-js/attempting-call.js';
import { retriedCodes } from '../grpc-js/retried-codes.js';
import type { PublishedConfig } from './service-config-json.js';
import { setWaitForReady } from '../interceptors/wait-for-ready.js';
import { WHOLE_ANSWER, type WholeAnswerMark } from '../grpc-js/whole-answer.js';

/** Which settings of calls the service may decide, because the client did not. */
export interface OpenChoices {
  readonly retries: boolean;
  readonly timeouts: boolean;
  readonly waitForReady: boolean;
}

/** Paths of methods (`/package.Service/Method`) by kind; nothing is known of a method in neither set. */
export interface MethodKinds {
  /** Methods with one request and one response. */
  readonly unaries: ReadonlySet<string>;
  /** Methods with a stream on either side. */
  readonly streams: ReadonlySet<string>;
}

/** The remembered settings of a method. */
interface KnownMethod {
  readonly config: MethodConfig;
  /** The information that every pick for a call of the method gets. */
  readonly pickInformation: Readonly<Record<string, string>> & WholeAnswerMark;
}

type CallConfig = ReturnType<ConfigSelector['invoke']>;

/** How many methods are remembered at most; a client has few. */
const MOST_REMEMBERED = 1_000;

/**
 * Makes a config selector (gRFC A31) from the method configs of the client and those that the service
 * published.
 *
 * @param own method configs of the client; their retries hold for methods that the service does not configure
 */
export function createCallConfigSelector(
  own: readonly MethodConfig[],
  published: PublishedConfig | undefined,
  open: OpenChoices,
  kinds: MethodKinds,
  rules: AttemptRules,
): ConfigSelector {
  const known = new Map<string, KnownMethod>();
  const lookUp = (path: string): KnownMethod => {
    const found = known.get(path);
    if (found !== undefined) return found;
    const config = merge(path, own, published?.methodConfig ?? [], open);
    const method = { config, pickInformation: pickInformation(path, config, kinds) };
    if (known.size < MOST_REMEMBERED) known.set(path, method);
    return method;
  };
  return {
    invoke(path, metadata) {
      const method = lookUp(path);
      // grpc-js reads `waitForReady` from the metadata alone, which is the call's own copy here.
      if (method.config.waitForReady === true) setWaitForReady(metadata);
      const config: CallConfig & OwnCallMark = {
        methodConfig: method.config,
        // A new object for each call, because the picker keeps on it which endpoints the call has tried.
        pickInformation: { ...method.pickInformation },
        status: status.OK,
        dynamicFilterFactories: [],
        [OWN_CALL]: rules,
      };
      return config;
    },
    unref() {},
  };
}

function pickInformation(
  path: string,
  config: MethodConfig,
  { unaries, streams }: MethodKinds,
): KnownMethod['pickInformation'] {
  if (streams.has(path)) return { [STREAM_MARK]: 'yes' };
  const codes = unaries.has(path) ? retriedCodes(config) : undefined;
  return codes === undefined ? {} : { [WHOLE_ANSWER]: codes };
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

/**
 * The entry for a method: by service and method, else by service, else the entry for all
 * (grpc/doc/service_config.md).
 */
function findMethodConfig(
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
