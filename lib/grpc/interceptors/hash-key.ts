/**
 * Computes the hash key of a call from its request before the call starts, and carries the key to the picker
 * as metadata.
 */
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';

/**
 * The metadata key that carries the hash key. The picker removes it, so that no server sees it. It is binary
 * (`-bin`), because other metadata is ASCII only, and a hash key need not be.
 */
export const HASH_KEY_HEADER = 'nestjs-grpc-discovery-hash-key-bin';

/** Computes the hash key of a call from its request; `undefined`: the call may go to any endpoint. */
export type HashKeyFunction = (request: unknown) => string | undefined;

/**
 * An interceptor that delays the start of a call until its request message is known, and gives the call the
 * key of that message. Calls with a request stream get no key, because they have no single request. If
 * `keyOf` throws, the call throws the same error.
 */
export function createHashKeyInterceptor(keyOf: HashKeyFunction): Interceptor {
  return (options, nextCall) => {
    const call = nextCall(options);
    if (options.method_definition.requestStream) return new InterceptingCall(call);
    let begin: ((request: unknown) => void) | undefined;
    return new InterceptingCall(call, {
      start(metadata, listener, next) {
        begin = (request) => {
          const key = keyOf(request);
          if (key === undefined) return next(metadata, listener);
          // A copy, because the caller may use its metadata again.
          const own = metadata.clone();
          own.set(HASH_KEY_HEADER, Buffer.from(key));
          next(own, listener);
        };
      },
      sendMessage(request, next) {
        begin?.(request);
        next(request);
      },
    });
  };
}
