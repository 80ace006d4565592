import { Metadata, type MethodConfig, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { RetryThrottle } from '../../../../lib/balance/load/retry-throttle.js';
import { STREAM_MARK } from '../../../../lib/grpc/balancer/endpoint-picker.js';
import { type AttemptRules, OWN_CALL } from '../../../../lib/grpc/grpc-js/attempting-call.js';
import { WHOLE_ANSWER } from '../../../../lib/grpc/grpc-js/whole-answer.js';
import {
  createCallConfigSelector,
  type OpenChoices,
} from '../../../../lib/grpc/service-config/call-config.js';

const LOGIN = '/user.User/Login';
const WATCH = '/user.User/Watch';
/** A method of which the proto, and so the kind, is unknown. */
const OTHER = '/user.User/Other';

const retry = (maxAttempts: number): NonNullable<MethodConfig['retryPolicy']> => ({
  maxAttempts,
  initialBackoff: '0.1s',
  maxBackoff: '1s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
});
const hedging = (maxAttempts: number): NonNullable<MethodConfig['hedgingPolicy']> => ({
  maxAttempts,
  hedgingDelay: '0s',
  nonFatalStatusCodes: ['internal', 8],
});
const seconds = (count: number) => ({ seconds: count, nanos: 0 });

/** An entry for all methods. */
const forAll = (fields: Omit<MethodConfig, 'name'>): MethodConfig => ({ name: [{}], ...fields });

const THROTTLE = { maxTokens: 10, tokenRatio: 0.1 };
const RULES: AttemptRules = {
  throttle: new RetryThrottle(THROTTLE),
  refusals: new RetryThrottle(THROTTLE),
};

/** The configs that the client and the service have, and what the client left open. */
interface Given {
  readonly own?: readonly MethodConfig[];
  readonly published?: readonly MethodConfig[];
  readonly open?: Partial<OpenChoices>;
}

function selectorOf({ own = [], published, open }: Given) {
  return createCallConfigSelector(
    own,
    published && {
      policy: undefined,
      methodConfig: published,
      retryThrottling: undefined,
      healthService: undefined,
    },
    { retries: true, timeouts: true, waitForReady: true, ...open },
    { unaries: new Set([LOGIN]), streams: new Set([WATCH]) },
    RULES,
  );
}

const select = (given: Given, path = LOGIN, metadata = new Metadata()) =>
  selectorOf(given).invoke(path, metadata, 1);

const configOf = (given: Given, path = LOGIN): MethodConfig => select(given, path).methodConfig;

describe('the method config of a call', () => {
  it('is the config of the client, and sets nothing if the client has none', () => {
    const own = [forAll({ retryPolicy: retry(2), timeout: seconds(1) })];
    expect(configOf({ own })).toBe(own[0]);
    expect(configOf({})).toEqual({ name: [] });
  });

  it('is the config of the client if the service publishes nothing for the method', () => {
    const own = [forAll({ retryPolicy: retry(2) })];
    const published = [{ name: [{ service: 'other.Other' }], timeout: seconds(9) }];
    expect(configOf({ own, published })).toBe(own[0]);
  });

  it.each<[string, string, number | undefined]>([
    ['by service and method', LOGIN, 3],
    ['by service', OTHER, 2],
    ['for all methods', '/other.Other/Login', 1],
  ])('is the entry with the most exact name: %s', (_, path, timeout) => {
    const published = [
      forAll({ timeout: seconds(1) }),
      { name: [{ service: 'user.User' }], timeout: seconds(2) },
      {
        name: [
          { service: 'other.Other', method: 'Ping' },
          { service: 'user.User', method: 'Login' },
        ],
        timeout: seconds(3),
      },
    ];
    expect(configOf({ published }, path).timeout?.seconds).toBe(timeout);
  });

  it('is the entry of the service if its name has an empty method, and the entry for all if its names are empty', () => {
    const published = [
      { name: [{ service: 'user.User', method: '' }], timeout: seconds(2) },
      { name: [{ service: '', method: '' }], timeout: seconds(1) },
    ];
    expect(configOf({ published }, LOGIN).timeout?.seconds).toBe(2);
    expect(configOf({ published }, '/other.Other/Login').timeout?.seconds).toBe(1);
  });
});

describe('a published method config', () => {
  it.each<[string, published: object, own: object, open: Partial<OpenChoices>, expected: object]>([
    ['a timeout', { timeout: seconds(2) }, {}, {}, { timeout: seconds(2) }],
    ['a timeout, which is not open', { timeout: seconds(2) }, {}, { timeouts: false }, {}],
    ['no timeout', {}, { timeout: seconds(1) }, {}, { timeout: seconds(1) }],
    ['waitForReady', { waitForReady: true }, {}, {}, { waitForReady: true }],
    ['waitForReady of false', { waitForReady: false }, {}, {}, { waitForReady: false }],
    ['waitForReady, which is not open', { waitForReady: true }, {}, { waitForReady: false }, {}],
    ['retries', { retryPolicy: retry(5) }, {}, {}, { retryPolicy: retry(5) }],
    [
      'retries in place of those of the client',
      { retryPolicy: retry(5) },
      { retryPolicy: retry(2) },
      {},
      { retryPolicy: retry(5) },
    ],
    [
      'retries in place of hedges of the client',
      { retryPolicy: retry(5) },
      { hedgingPolicy: hedging(2) },
      {},
      { retryPolicy: retry(5) },
    ],
    [
      'retries, beside the limits that only the client has',
      { retryPolicy: retry(5) },
      { retryPolicy: retry(2), timeout: seconds(1), maxRequestBytes: 1 },
      {},
      { retryPolicy: retry(5), timeout: seconds(1), maxRequestBytes: 1 },
    ],
    [
      'hedges in place of retries of the client',
      { hedgingPolicy: hedging(3) },
      { retryPolicy: retry(2) },
      {},
      { hedgingPolicy: hedging(3) },
    ],
    [
      'retries, which are not open',
      { retryPolicy: retry(5) },
      { retryPolicy: retry(2) },
      { retries: false },
      { retryPolicy: retry(2) },
    ],
    [
      'no retries',
      { timeout: seconds(2) },
      { retryPolicy: retry(2) },
      {},
      { retryPolicy: retry(2), timeout: seconds(2) },
    ],
    [
      'limits of sizes, which are always open',
      { maxRequestBytes: 7, maxResponseBytes: 8 },
      { maxRequestBytes: 1 },
      { retries: false, timeouts: false, waitForReady: false },
      { maxRequestBytes: 7, maxResponseBytes: 8 },
    ],
  ])('brings %s', (_, published, own, open, expected) => {
    const given = { published: [forAll(published)], own: [forAll(own)], open };
    expect(configOf(given)).toStrictEqual(forAll(expected));
  });

  it('applies also if the client has no config for the method', () => {
    expect(configOf({ published: [forAll({ retryPolicy: retry(5) })] })).toStrictEqual(
      forAll({ retryPolicy: retry(5) }),
    );
  });
});

describe('waitForReady of a call', () => {
  it.each<[boolean | undefined, boolean | undefined, boolean | undefined]>([
    [undefined, undefined, undefined],
    [true, undefined, true],
    [false, undefined, undefined],
    [true, false, false],
    [false, true, true],
  ])('published as %s, and chosen by the caller as %s, is %s', (published, chosen, expected) => {
    const fields = published === undefined ? {} : { waitForReady: published };
    const metadata = new Metadata(chosen === undefined ? {} : { waitForReady: chosen });
    select({ published: [forAll(fields)] }, LOGIN, metadata);
    expect(metadata.getOptions().waitForReady).toBe(expected);
  });
});

const codesOf = (given: Given, path: string): unknown =>
  Reflect.get(select(given, path).pickInformation, WHOLE_ANSWER);

describe('the pick information of a call', () => {
  it('is marked if the call is a stream', () => {
    expect(select({}, WATCH).pickInformation).toEqual({ [STREAM_MARK]: 'yes' });
    for (const path of [LOGIN, OTHER]) expect(select({}, path).pickInformation).toEqual({});
  });

  it('has the status codes after which a unary call is retried; gRPC gets the answer of such a call as a whole', () => {
    const own = [forAll({ retryPolicy: retry(2) })];
    expect(codesOf({ own }, LOGIN)).toEqual(new Set([status.UNAVAILABLE]));
    const published = [forAll({ hedgingPolicy: hedging(2) })];
    const codes = new Set([status.INTERNAL, status.RESOURCE_EXHAUSTED]);
    expect(codesOf({ own, published }, LOGIN)).toEqual(codes);
  });

  it('has no status codes if the call may be a stream: messages of a stream must be reported as they come', () => {
    const own = [forAll({ retryPolicy: retry(2) })];
    expect(codesOf({ own }, WATCH)).toBeUndefined();
    expect(codesOf({ own }, OTHER)).toBeUndefined();
  });

  it('is another object for each call, because the picker stores in it which endpoints the call has tried', () => {
    const selector = selectorOf({});
    const [one, other] = [0, 1].map(() => selector.invoke(LOGIN, new Metadata(), 1));
    expect(one?.pickInformation).not.toBe(other?.pickInformation);
  });
});

describe('the selector', () => {
  it('accepts every call, and marks it as one of this library, with the rules for its attempts', () => {
    const selected = select({});
    expect(selected.status).toBe(status.OK);
    expect(selected.dynamicFilterFactories).toEqual([]);
    expect(Reflect.get(selected, OWN_CALL)).toBe(RULES);
  });

  it('remembers the config of a method', () => {
    const selector = selectorOf({ published: [forAll({ timeout: seconds(2) })] });
    const config = (path: string) => selector.invoke(path, new Metadata(), 1).methodConfig;
    expect(config(LOGIN)).toBe(config(LOGIN));
    expect(config(LOGIN)).not.toBe(config(OTHER));
  });

  it('remembers 1,000 methods, and has the right config for more', () => {
    const selector = selectorOf({ published: [forAll({ timeout: seconds(2) })] });
    const config = (at: number) => selector.invoke(`/a.A/M${at}`, new Metadata(), 1).methodConfig;
    for (let at = 0; at < 1_000; at++) config(at);
    expect(config(999)).toBe(config(999));
    expect(config(1_000)).not.toBe(config(1_000));
    expect(config(1_000)).toEqual(config(999));
  });
});
