/** Gives a default deadline to unary calls. */
import type { CallOptions } from '@grpc/grpc-js';

/** Which sides of a call are streams. */
interface CallShape {
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/**
 * Sets the deadline of a unary call that has none to `timeoutMs` milliseconds from now. Streams get no
 * deadline: they may be meant to stay open.
 */
export function withDefaultDeadline(
  options: CallOptions,
  { requestStream, responseStream }: CallShape,
  timeoutMs: number,
): CallOptions {
  // To grpc-js, `null` means that there is no deadline.
  const applies = (options.deadline ?? null) === null && !requestStream && !responseStream;
  return applies ? { ...options, deadline: Date.now() + timeoutMs } : options;
}
