/**
 * Which calls are retried, and how: gRPC's own retries (gRFC A6), by default only of methods that the proto
 * declares as idempotent. Transparent retries, of calls that no server has begun, always happen.
 */
import type { ServiceConfig } from '@grpc/grpc-js';
import { DEFAULT_THROTTLE, type ThrottleOptions } from '../../balance/load/retry-throttle.js';
import type { CatalogedMethod } from './method-catalog.js';
import { isNameOf } from './method-names.js';

type MethodConfig = ServiceConfig['methodConfig'][number];

/** How calls of a client are retried. */
export interface RetryOptions {
  /**
   * Which methods are retried. `idempotent`: those declared with `idempotency_level` `NO_SIDE_EFFECTS` or
   * `IDEMPOTENT`. `all`: every method. Or a list of `Method`, `Service/Method` or `package.Service/Method`,
   * also with Nest's spelling `method`. A name that means no method of the client's proto fails the start.
   * Default `idempotent`.
   */
  readonly methods?: 'idempotent' | 'all' | readonly string[];
  /** How many attempts a call has at most, the first included, 2–5. Default 4. */
  readonly maxAttempts?: number;
  /** Upper bound of the first delay between attempts, in milliseconds, 1–60,000. Default 20. */
  readonly initialBackoffMs?: number;
  /** Upper bound of every delay, in milliseconds, 1–60,000. Default 1,000. */
  readonly maxBackoffMs?: number;
  /** Growth of the upper bound from delay to delay, 1–10. Default 2. */
  readonly backoffMultiplier?: number;
  /** Status codes, by name, after which a call is retried. Default `UNAVAILABLE` alone. */
  readonly statusCodes?: readonly string[];
  /**
   * Hedging (gRFC A6): the next attempt is sent if no answer came within this delay, in milliseconds,
   * 1–60,000, and the first answer counts. For methods whose answers must not wait for one slow server.
   * Default: off.
   */
  readonly hedgingDelayMs?: number;
  /**
   * Stops retries while many calls fail (gRFC A6): each failed attempt takes a token; each call that a server
   * answered, even with an error that blames the caller, gives `tokenRatio` tokens back; with half of
   * `maxTokens` or less, nothing is retried or hedged. Default 100 and 0.1; `false`: never stop.
   */
  readonly throttling?: false | ThrottleOptions;
}

/** The part of a service config that is about retries. */
export type RetryConfig = Pick<ServiceConfig, 'methodConfig' | 'retryThrottling'>;

/** The service config for a client's retries; `false`: only transparent retries. */
export function createRetryConfig(
  options: RetryOptions | false,
  methods: readonly CatalogedMethod[],
): RetryConfig {
  if (options === false) return { methodConfig: [] };
  const retried = methods.filter((method) => isRetried(options.methods ?? 'idempotent', method));
  if (retried.length === 0) return { methodConfig: [] };
  const name = retried.map(({ service, method }) => ({ service, method }));
  const { throttling = DEFAULT_THROTTLE } = options;
  return {
    methodConfig: [{ name, ...attemptPolicy(options) }],
    ...(throttling === false ? {} : { retryThrottling: { ...throttling } }),
  };
}

function attemptPolicy(options: RetryOptions): Pick<MethodConfig, 'retryPolicy' | 'hedgingPolicy'> {
  const maxAttempts = options.maxAttempts ?? 4;
  const statusCodes = [...(options.statusCodes ?? ['UNAVAILABLE'])];
  if (options.hedgingDelayMs !== undefined) {
    const hedgingDelay = seconds(options.hedgingDelayMs);
    return { hedgingPolicy: { maxAttempts, hedgingDelay, nonFatalStatusCodes: statusCodes } };
  }
  return {
    retryPolicy: {
      maxAttempts,
      initialBackoff: seconds(options.initialBackoffMs ?? 20),
      maxBackoff: seconds(options.maxBackoffMs ?? 1_000),
      backoffMultiplier: options.backoffMultiplier ?? 2,
      retryableStatusCodes: statusCodes,
    },
  };
}

function isRetried(wanted: NonNullable<RetryOptions['methods']>, method: CatalogedMethod): boolean {
  if (wanted === 'all') return true;
  if (wanted === 'idempotent') return method.isIdempotent;
  return wanted.some((name) => isNameOf(name, method));
}

/** A duration in the form of a service config, such as `0.02s`. */
function seconds(milliseconds: number): string {
  return `${milliseconds / 1_000}s`;
}
