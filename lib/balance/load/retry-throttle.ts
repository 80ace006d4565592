/** When many calls fail, further attempts stop: the token bucket of gRFC A6. One for each channel. */
export interface ThrottleOptions {
  /** What the bucket holds when it is full, above 0. */
  readonly maxTokens: number;
  /** What each call that a server answered gives back, above 0. */
  readonly tokenRatio: number;
}

/** What holds where neither the client nor the service says anything. */
export const DEFAULT_THROTTLE: ThrottleOptions = { maxTokens: 100, tokenRatio: 0.1 };

/**
 * How many further attempts a client may make. Each attempt that failed in a way that is tried again takes a token; each call that a
 * server answered, if only with an error that blames the caller (`NOT_FOUND`), gives a share of one back. With half of the tokens or
 * less there are no retries and no hedges.
 *
 * Source: gRFC A6, "Throttling Retry Attempts and Hedged RPCs". The names are those by which grpc-js asks its own.
 */
export class RetryThrottle {
  private tokens: number;

  constructor(private options: ThrottleOptions = DEFAULT_THROTTLE) {
    this.tokens = options.maxTokens;
  }

  /** Goes by other options from now on. The bucket is as full as before, in proportion. */
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
