/** The options of a single call to etcd: leader requirement, token and time limit. */
import type { IOptions } from 'etcd3';
import { DiscoveryError } from '../../core/discovery-error.js';
import { StaleTokenError } from './etcd-error.js';

type CallOptionsFactory = Exclude<
  NonNullable<IOptions['defaultCallOptions']>,
  { deadline?: unknown }
>;
/** Options of one call, as etcd3 takes them. */
export type EtcdCallOptions = ReturnType<CallOptionsFactory>;
type Interceptor = NonNullable<EtcdCallOptions['interceptors']>[number];

/**
 * Adds an option with which a member that has no leader fails the call. Without this option the member does
 * not answer.
 */
export function requireLeader(options: EtcdCallOptions): EtcdCallOptions {
  return intercepted(options, withMetadata('hasleader', 'true'));
}

/**
 * Call options for one request, with a token if there is one. etcd3 repeats a call for as long as etcd
 * rejects its token; with the same token it would repeat the call forever. Therefore the second call with
 * these options throws `StaleTokenError`.
 */
export function authorized(options: EtcdCallOptions, token: string | undefined): EtcdCallOptions {
  let isUsed = false;
  const once: Interceptor = (callOptions, nextCall) => {
    if (isUsed) throw new StaleTokenError('etcdserver: invalid auth token');
    isUsed = true;
    return nextCall(callOptions) as ReturnType<Interceptor>;
  };
  const bounded = intercepted(options, once);
  return token === undefined ? bounded : intercepted(bounded, withMetadata('token', token));
}

function intercepted(options: EtcdCallOptions, interceptor: Interceptor): EtcdCallOptions {
  return { ...options, interceptors: [...(options.interceptors ?? []), interceptor] };
}

function withMetadata(name: string, value: string): Interceptor {
  return (callOptions, nextCall) => {
    const call = nextCall(callOptions);
    const start = call.start.bind(call);
    call.start = (metadata, listener) => {
      // A copy, because all calls of a client may share one metadata object.
      const own = metadata.clone();
      own.set(name, value);
      start(own, listener);
    };
    return call as ReturnType<Interceptor>;
  };
}

/**
 * Rejects if a promise takes too long: the deadline of a call may not cover all of its work. A later outcome
 * is ignored.
 */
export function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new DiscoveryError('REGISTRY_UNAVAILABLE', `no answer within ${timeoutMs} ms`)),
      // The call's own deadline fires first if it can, because its error says more.
      timeoutMs + 100,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
