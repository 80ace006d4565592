/** A deadline for unary calls that bring none. */
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';

/**
 * An interceptor that gives every unary call without a deadline one of `timeoutMs` milliseconds from its start. Streams
 * are left alone: they may well be meant to stay open.
 */
export function createDefaultDeadline(timeoutMs: number): Interceptor {
  return (options, nextCall) => {
    const { requestStream, responseStream } = options.method_definition;
    const applies = options.deadline === undefined && !requestStream && !responseStream;
    return new InterceptingCall(
      nextCall(applies ? { ...options, deadline: Date.now() + timeoutMs } : options),
    );
  };
}
