/** A deadline for unary calls that bring none. */
import type { CallOptions } from '@grpc/grpc-js';

/** The shape of a call. */
interface CallShape {
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/**
 * Gives a unary call without a deadline one of `timeoutMs` milliseconds from now. Streams are left alone: they may well be
 * meant to stay open.
 */
export function withDefaultDeadline(
  options: CallOptions,
  { requestStream, responseStream }: CallShape,
  timeoutMs: number,
): CallOptions {
  // grpc-js takes null for none.
  const applies = (options.deadline ?? null) === null && !requestStream && !responseStream;
  return applies ? { ...options, deadline: Date.now() + timeoutMs } : options;
}
