/** When many calls of a channel fail, further attempts stop: the token bucket of gRFC A6, one per channel. */
export interface ThrottleOptions {
  /** The number of tokens in a full bucket, above 0. */
  readonly maxTokens: number;
  /** How many tokens each call that a server answered gives back, above 0. */
  readonly tokenRatio: number;
}

/** The throttle that applies if neither the client nor the service sets one. */
export const DEFAULT_THROTTLE: ThrottleOptions = { maxTokens: 100, tokenRatio: 0.1 };

/**
 * Decides whether a channel may make further attempts. Each attempt that failed in a way that is retried
 * takes a token; each call that a server answered gives back `tokenRatio` tokens, even if the answer is an
 * error that blames the caller (`NOT_FOUND`). With half of the tokens or fewer there are no retries and no
 * hedges.
 *
 * Source: gRFC A6, "Throttling Retry Attempts and Hedged RPCs". grpc-js calls the methods by these names.
 */
export class RetryThrottle {
  private tokens: number;

  constructor(private options: ThrottleOptions = DEFAULT_THROTTLE) {
    this.tokens = options.maxTokens;
  }

  /** Uses other options from now on. The bucket stays as full as before, in proportion. */
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
