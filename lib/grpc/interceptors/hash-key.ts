/** The key of a call as a function of its request: computed before the call starts, carried to the picker as metadata. */
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';

/**
 * The metadata key under which the key travels. The picker takes it out: no server sees it. Binary, because metadata of
 * other kinds is ASCII and a key need not be.
 */
export const HASH_KEY_HEADER = 'nestjs-grpc-discovery-hash-key-bin';

/** The key of a call; `undefined` for a call that may go anywhere. */
export type HashKeyFunction = (request: unknown) => string | undefined;

/**
 * An interceptor that holds a call back until its request message is known, and gives it the message's key. Calls that
 * send a stream are left alone: there is no one message. What `keyOf` throws, the call throws.
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
          // The caller may use its metadata again.
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
