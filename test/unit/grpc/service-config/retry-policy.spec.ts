import { describe, expect, it } from 'vitest';
import type { CatalogedMethod } from '../../../../lib/grpc/service-config/method-catalog.js';
import {
  createRetryConfig,
  type RetryOptions,
} from '../../../../lib/grpc/service-config/retry-policy.js';

const METHODS: readonly CatalogedMethod[] = [
  method('Get', true),
  method('Create', false),
  method('Delete', false),
];

function method(name: string, isIdempotent: boolean): CatalogedMethod {
  return {
    service: 'user.User',
    method: name,
    callName: name.toLowerCase(),
    isStreaming: false,
    isIdempotent,
  };
}

/** The names of the methods that are retried. */
function retried(options: RetryOptions | false): (string | undefined)[] {
  const { methodConfig } = createRetryConfig(options, METHODS);
  return methodConfig.flatMap(({ name }) => name.map((one) => one.method));
}

const policy = (options: RetryOptions) => createRetryConfig(options, METHODS).methodConfig[0];

describe('the methods that are retried', () => {
  it.each<[string, RetryOptions | false, string[]]>([
    ['are those that the proto declares as idempotent, by default', {}, ['Get']],
    ['are the same with "idempotent"', { methods: 'idempotent' }, ['Get']],
    ['are all with "all"', { methods: 'all' }, ['Get', 'Create', 'Delete']],
    [
      'are those that a list names',
      { methods: ['create', 'user.User/Delete'] },
      ['Create', 'Delete'],
    ],
    ['are none with an empty list', { methods: [] }, []],
    ['are none with false', false, []],
  ])('%s', (_, options, expected) => {
    expect(retried(options)).toEqual(expected);
  });

  it('are named with their service', () => {
    expect(policy({})?.name).toEqual([{ service: 'user.User', method: 'Get' }]);
  });
});

describe('the retry policy', () => {
  it('has by default 4 attempts, delays of 20 ms to 1 s, and the code UNAVAILABLE', () => {
    expect(policy({})).toEqual({
      name: [{ service: 'user.User', method: 'Get' }],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: '0.02s',
        maxBackoff: '1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    });
  });

  it('has the values of the options, with delays in seconds', () => {
    const options: RetryOptions = {
      maxAttempts: 3,
      initialBackoffMs: 50,
      maxBackoffMs: 2_500,
      backoffMultiplier: 1.5,
      statusCodes: ['ABORTED', 'RESOURCE_EXHAUSTED'],
    };
    expect(policy(options)?.retryPolicy).toEqual({
      maxAttempts: 3,
      initialBackoff: '0.05s',
      maxBackoff: '2.5s',
      backoffMultiplier: 1.5,
      retryableStatusCodes: ['ABORTED', 'RESOURCE_EXHAUSTED'],
    });
  });

  it('is a hedging policy if the options have hedgingDelayMs', () => {
    const { retryPolicy, hedgingPolicy } = policy({ hedgingDelayMs: 30, maxAttempts: 2 }) ?? {};
    expect(retryPolicy).toBeUndefined();
    expect(hedgingPolicy).toEqual({
      maxAttempts: 2,
      hedgingDelay: '0.03s',
      nonFatalStatusCodes: ['UNAVAILABLE'],
    });
  });
});

describe('the throttling of retries', () => {
  it.each<[string, RetryOptions, object | undefined]>([
    ['has 100 tokens and a ratio of 0.1 by default', {}, { maxTokens: 100, tokenRatio: 0.1 }],
    [
      'has the values of the options',
      { throttling: { maxTokens: 7, tokenRatio: 1 } },
      { maxTokens: 7, tokenRatio: 1 },
    ],
    ['is off with false', { throttling: false }, undefined],
    ['is off if no method is retried', { methods: [] }, undefined],
  ])('%s', (_, options, expected) => {
    expect(createRetryConfig(options, METHODS).retryThrottling).toEqual(expected);
  });

  it('is off if retries are off', () => {
    expect(createRetryConfig(false, METHODS)).toEqual({ methodConfig: [] });
    expect(createRetryConfig({ methods: [] }, METHODS)).toEqual({ methodConfig: [] });
  });
});
