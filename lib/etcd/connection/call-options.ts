/** What a single call to etcd is given, and how long it may take. */
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

/** Call options under which a member without a leader fails the call instead of staying silent. */
export function requireLeader(options: EtcdCallOptions): EtcdCallOptions {
  return intercepted(options, withMetadata('hasleader', 'true'));
}

/**
 * Call options that are good for one request, under this token, if any. etcd3 calls again for as long as etcd calls the token
 * invalid, which the same one would be every time.
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
      // One object may be shared by all calls of a client.
      const own = metadata.clone();
      own.set(name, value);
      start(own, listener);
    };
    return call as ReturnType<Interceptor>;
  };
}

/** Bounds a promise whose own deadline may not cover all it does. Its late outcome is ignored. */
export function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new DiscoveryError('REGISTRY_UNAVAILABLE', `no answer within ${timeoutMs} ms`)),
      // The call's own deadline speaks first where it can: it says more.
      timeoutMs + 100,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
