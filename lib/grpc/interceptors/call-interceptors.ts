/**
 * What a client promises for every call. grpc-js replaces the interceptors of a client by those of a single call, so that a call with
 * interceptors of its own would lose the deadline, the hash key and whatever else is an interceptor here. Therefore a client has none:
 * each call is given the whole list before it starts, by grpc-js's own hook for that (`callInvocationTransformer`).
 */
import type {
  CallInvocationTransformer,
  CallOptions,
  CallProperties,
  ChannelOptions,
  Interceptor,
  InterceptorProvider,
} from '@grpc/grpc-js';
import { withDefaultDeadline } from './default-deadline.js';

type MethodDefinition = Parameters<InterceptorProvider>[0];

/** Interceptors, in one of the two forms in which grpc-js takes them. */
interface GivenInterceptors {
  readonly interceptors?: readonly Interceptor[] | undefined;
  readonly interceptor_providers?: readonly InterceptorProvider[] | undefined;
}

/** What a client says about its calls. */
export interface CallPromises {
  /** Deadline of unary calls that bring none, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** The library's interceptors: nearer to the wire than all of the user's. */
  readonly interceptors: readonly Interceptor[];
}

/**
 * Channel options whose client keeps its promises for every call. From the caller to the wire: the deadline, the call's
 * own interceptors, those of `given`, the library's. A deadline, a message and metadata that an interceptor of the user's
 * changes therefore count as if the caller had set them.
 *
 * @param given the user's; it may have interceptors, interceptor providers and a transformer of its own, which is called first
 */
export function withCallPromises(given: ChannelOptions, promises: CallPromises): ChannelOptions {
  const { interceptors, interceptor_providers, callInvocationTransformer, ...options } = given;
  const own: GivenInterceptors = { interceptors, interceptor_providers };
  const { timeoutMs } = promises;
  // Nothing that a call could lose.
  if (timeoutMs === undefined && !hasAny(own) && promises.interceptors.length === 0) return given;
  const before = callInvocationTransformer as CallInvocationTransformer | undefined;
  const transform = (call: CallProperties<unknown, unknown>) => {
    const properties = before === undefined ? call : before(call);
    const { callOptions = {}, methodDefinition } = properties;
    return {
      ...properties,
      callOptions: completeOptions(callOptions, methodDefinition, own, promises),
    };
  };
  return { ...options, callInvocationTransformer: transform };
}

function completeOptions(
  options: CallOptions,
  method: MethodDefinition,
  own: GivenInterceptors,
  { timeoutMs, interceptors }: CallPromises,
): CallOptions {
  // Both forms at once are grpc-js's to refuse.
  if (options.interceptors?.length && options.interceptor_providers?.length) return options;
  const { interceptor_providers: _, ...others } =
    timeoutMs === undefined ? options : withDefaultDeadline(options, method, timeoutMs);
  return {
    ...others,
    interceptors: [...resolve(options, method), ...resolve(own, method), ...interceptors],
  };
}

function hasAny({ interceptors = [], interceptor_providers: providers = [] }: GivenInterceptors) {
  return interceptors.length + providers.length > 0;
}

function resolve(given: GivenInterceptors, method: MethodDefinition): readonly Interceptor[] {
  if (!hasAny(given)) return [];
  const provided = (given.interceptor_providers ?? []).map((provide) => provide(method));
  // A provider that has nothing for a method returns nothing.
  return [...(given.interceptors ?? []), ...provided].filter(Boolean);
}
