/**
 * Gives every call of a client its default deadline and interceptors. If a call has interceptors of its own,
 * grpc-js drops those of its client, and with them the hash key and everything else that this library does in
 * interceptors. Therefore a client has no interceptors: grpc-js's hook `callInvocationTransformer` gives the
 * whole list to each call before it starts.
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

/** What a client guarantees for every call. */
export interface CallPromises {
  /** Timeout of unary calls that set no deadline, in milliseconds; `undefined`: no timeout. */
  readonly timeoutMs: number | undefined;
  /** The library's interceptors, which are closer to the wire than all interceptors of the user. */
  readonly interceptors: readonly Interceptor[];
}

/**
 * Channel options of a client that keeps these promises for every call. Order from the caller to the wire:
 * the deadline, the call's own interceptors, the interceptors of `given`, the library's interceptors. A
 * deadline, message or metadata that an interceptor of the user changes therefore counts as if the caller had
 * set it.
 *
 * @param given channel options of the user; they may contain interceptors, interceptor providers and a
 *   transformer, which is called first
 */
export function withCallPromises(given: ChannelOptions, promises: CallPromises): ChannelOptions {
  const { interceptors, interceptor_providers, callInvocationTransformer, ...options } = given;
  const own: GivenInterceptors = { interceptors, interceptor_providers };
  const { timeoutMs } = promises;
  // Without promises and interceptors there is nothing that a call could lose.
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
  // grpc-js itself refuses a call that has both forms.
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
  // A provider may return nothing for a method.
  return [...(given.interceptors ?? []), ...provided].filter(Boolean);
}
