/** What a single call to etcd is given, and how long it may take. */
import type { IOptions } from 'etcd3';
import { DiscoveryError } from '../core/discovery-error.js';

type CallOptionsFactory = Exclude<
  NonNullable<IOptions['defaultCallOptions']>,
  { deadline?: unknown }
>;
/** Options of one call, as etcd3 takes them. */
export type EtcdCallOptions = ReturnType<CallOptionsFactory>;
type Interceptor = NonNullable<EtcdCallOptions['interceptors']>[number];

/** Call options under which a member without a leader fails the call instead of staying silent. */
export function requireLeader(options: EtcdCallOptions): EtcdCallOptions {
  const interceptor: Interceptor = (callOptions, nextCall) => {
    const call = nextCall(callOptions);
    const start = call.start.bind(call);
    call.start = (metadata, listener) => {
      // The metadata holds the token and is shared by all calls of this client.
      const own = metadata.clone();
      own.set('hasleader', 'true');
      start(own, listener);
    };
    return call as ReturnType<Interceptor>;
  };
  return { ...options, interceptors: [interceptor] };
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
