/**
 * What the end of a call says about the endpoint that received the call.
 *
 * | outcome | meaning |
 * |---|---|
 * | `success` | the server answered; an answer that blames the caller (`NOT_FOUND`) is a success too |
 * | `failure` | the server, or its connection, answered with an error that blames the server |
 * | `timeout` | no answer came before the deadline |
 * | `abandoned` | this client gave the call up: only its least duration is known |
 */
export type CallOutcome = 'success' | 'failure' | 'timeout' | 'abandoned';

/**
 * The outcome that a gRPC status code stands for.
 *
 * The line between caller and server is Envoy's, which counts the codes that map to HTTP 5xx
 * (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), plus `RESOURCE_EXHAUSTED`: an
 * overloaded server should get fewer calls. `UNKNOWN` is a failure because a handler's uncaught error becomes
 * `UNKNOWN`; a fault that all servers share ejects none of them, see `stepOutliers`.
 *
 * @param code a gRPC status code, 0 to 16; any other code counts as a failure
 * @param details the status text. It tells whether `RESOURCE_EXHAUSTED` means a message over a size limit of
 *   client or server, which is no sign of load
 */
export function callOutcome(code: number, details = ''): CallOutcome {
  switch (code) {
    case 0: // OK
    case 3: // INVALID_ARGUMENT
    case 5: // NOT_FOUND
    case 6: // ALREADY_EXISTS
    case 7: // PERMISSION_DENIED
    case 9: // FAILED_PRECONDITION
    case 10: // ABORTED
    case 11: // OUT_OF_RANGE
    case 16: // UNAUTHENTICATED
      return 'success';
    case 1: // CANCELLED
      return 'abandoned';
    case 4: // DEADLINE_EXCEEDED
      return 'timeout';
    case RESOURCE_EXHAUSTED:
      return TOO_LARGE.test(details) ? 'abandoned' : 'failure';
    default: // UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS
      return 'failure';
  }
}

/** The status code `RESOURCE_EXHAUSTED` of gRPC. */
const RESOURCE_EXHAUSTED = 8;

/**
 * The text of an error about a size limit: first that of grpc-js, grpc-go and gRPC core, then that of
 * grpc-java. This error has no status code of its own.
 */
const TOO_LARGE = /message (?:[\w-]+ ){0,6}larger than|message exceeds maximum size/i;

/** How long a refusal lasts if the server names no duration, in milliseconds. */
const DEFAULT_REFUSAL_MS = 5_000;
/** How long a refusal lasts at most, in milliseconds. */
const LONGEST_REFUSAL_MS = 300_000;

/**
 * How long a server wants no calls, by the way in which it ended a call. Balancing adds this time to the
 * latency of that call.
 *
 * A server refuses a call with `RESOURCE_EXHAUSTED`, or with another failure of its own that says when to try
 * again (`grpc-retry-pushback-ms`, gRFC A6). A pushback that forbids a retry, or that cannot be read, counts
 * as a refusal without a duration.
 *
 * Source: Linkerd (2026-06) adds the pushback to the latency, or 5 s if there is no pushback, and never more
 * than 300 s.
 *
 * @param code a gRPC status code
 * @param pushback the value of the trailer, as it was sent; `undefined`: the call had no such trailer
 * @returns milliseconds, 0 if the server did not refuse
 */
export function refusalMs(code: number, pushback: string | undefined): number {
  const refuses =
    code === RESOURCE_EXHAUSTED || (pushback !== undefined && callOutcome(code) === 'failure');
  if (!refuses) return 0;
  const givenMs = pushback !== undefined && /^\d+$/.test(pushback) ? Number(pushback) : undefined;
  return Math.min(givenMs ?? DEFAULT_REFUSAL_MS, LONGEST_REFUSAL_MS);
}
