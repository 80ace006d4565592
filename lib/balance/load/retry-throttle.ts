/** When many calls fail, further attempts stop: the token bucket of gRFC A6. One for each channel. */
export interface ThrottleOptions {
  /** The tokens in a full bucket, above 0. */
  readonly maxTokens: number;
  /** The tokens that each call which a server answered gives back, above 0. */
  readonly tokenRatio: number;
}

/** The throttle where neither the client nor the service names one. */
export const DEFAULT_THROTTLE: ThrottleOptions = { maxTokens: 100, tokenRatio: 0.1 };

/**
 * How many further attempts a client may make. Each attempt that failed in a way that is tried again takes a token; each call that a
 * server answered, if only with an error that blames the caller (`NOT_FOUND`), gives a share of one back. With half of the tokens or
 * less there are no retries and no hedges.
 *
 * Source: gRFC A6, "Throttling Retry Attempts and Hedged RPCs". The methods have the names that grpc-js calls.
 */
export class RetryThrottle {
  private tokens: number;

  constructor(private options: ThrottleOptions = DEFAULT_THROTTLE) {
    this.tokens = options.maxTokens;
  }

  /** Uses other options from now on. The bucket is as full as before, in proportion. */
  configure(options: ThrottleOptions): void {
    this.tokens *= options.maxTokens / this.options.maxTokens;
    this.options = options;
  }

  addCallSucceeded(): void {
    const { maxTokens, tokenRatio } = this.options;
    this.tokens = Math.min(maxTokens, this.tokens + tokenRatio);
  }

  addCallFailed(): void {
    this.tokens = Math.max(0, this.tokens - 1);
  }

  canRetryCall(): boolean {
    return this.tokens > this.options.maxTokens / 2;
  }
}
