/** Which service configs are read, as grpc-go reads them, and which are refused. */
import { afterEach, expect, it } from 'vitest';
import { registerLoadBalancingPolicy } from '../../../../lib/grpc/balancer/policies.js';
import {
  parseServiceConfig,
  type PublishedConfig,
} from '../../../../lib/grpc/service-config/service-config-json.js';

function read(config: unknown): PublishedConfig {
  const parsed = parseServiceConfig(JSON.stringify(config));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.config;
}

function refused(config: unknown): string {
  const parsed = parseServiceConfig(typeof config === 'string' ? config : JSON.stringify(config));
  return parsed.ok ? 'accepted' : parsed.reason;
}

const policy = (...loadBalancingConfig: unknown[]) => read({ loadBalancingConfig }).policy;

afterEach(() => {
  registerLoadBalancingPolicy('mine', (_pool) => ({ pick: () => _pool.candidates[0]! }));
});

it('an empty service config sets nothing', () => {
  expect(read({})).toEqual({
    policy: undefined,
    methodConfig: [],
    retryThrottling: undefined,
    healthService: undefined,
  });
});

it.each([
  ['round_robin', {}, { policy: 'round_robin' }],
  ['pick_first', { shuffleAddressList: true }, { policy: 'pick_first' }],
  ['weighted_round_robin', { blackoutPeriod: '10s' }, { policy: 'weighted_round_robin' }],
  ['least_request_experimental', { choiceCount: 500 }, { policy: 'least_request' }],
  [
    'ring_hash_experimental',
    { minRingSize: 0, maxRingSize: 0, requestHashHeader: '' },
    { policy: 'consistent_hash', loadFactor: Infinity },
  ],
  [
    'ring_hash_experimental',
    { minRingSize: 1024, requestHashHeader: 'X-User' },
    { policy: 'consistent_hash', hashKey: 'x-user', loadFactor: Infinity },
  ],
  ['peak_ewma', { decayMs: 500 }, { policy: 'peak_ewma', decayMs: 500 }],
  [
    'consistent_hash',
    { hashKey: 'x-user', loadFactor: 2 },
    { policy: 'consistent_hash', hashKey: 'x-user', loadFactor: 2 },
  ],
  ['random', {}, { policy: 'random' }],
])('the published policy %s with the fields %j is read as options', (name, fields, options) => {
  expect(policy({ [name]: fields })).toEqual({ options, subsetSize: undefined });
});

it('the first known policy of a list is used', () => {
  expect(policy({ xds_cluster_impl: {} }, { peak_ewma: {} }, { round_robin: {} })?.options).toEqual(
    {
      policy: 'peak_ewma',
    },
  );
});

it('entries after the first known policy are not checked, except that they are objects', () => {
  expect(policy({ round_robin: null }, { a: {}, b: {} })?.options.policy).toBe('round_robin');
});

it('a published subset larger than a client may ask for is cut to that size', () => {
  const random_subsetting_experimental = { subsetSize: 4e9, childPolicy: [{ random: {} }] };
  expect(policy({ random_subsetting_experimental })?.subsetSize).toBe(100_000);
});

it('a policy that the user registered can be published', () => {
  registerLoadBalancingPolicy('mine', (pool) => ({ pick: () => pool.candidates[0]! }));
  expect(policy({ mine: {} })?.options).toEqual({ policy: 'mine' });
});

it('the legacy field loadBalancingPolicy is read', () => {
  expect(read({ loadBalancingPolicy: 'ROUND_ROBIN' }).policy?.options).toEqual({
    policy: 'round_robin',
  });
});

const outlier = (childPolicy: unknown) => ({
  outlier_detection_experimental: {
    interval: '2s',
    successRateEjection: {},
    childPolicy,
  },
});
const subset = (childPolicy: unknown) => ({
  random_subsetting_experimental: { subsetSize: 20, childPolicy },
});

it('subsets and outlier detection may wrap a child policy in any order', () => {
  const leaf = [{ least_request_experimental: {} }];
  for (const wrapped of [outlier([subset(leaf)]), subset([outlier(leaf)])]) {
    expect(policy(wrapped)).toMatchObject({
      options: { policy: 'least_request', outlierDetection: { intervalMs: 2_000 } },
      subsetSize: 20,
    });
  }
});

it('method configs are returned in the form of grpc-js', () => {
  const config = {
    methodConfig: [
      {
        name: [{ service: 'user.User', method: 'Login' }, { service: 'user.User' }, {}],
        timeout: '0.5s',
        waitForReady: true,
        maxRequestMessageBytes: '1024',
        maxResponseMessageBytes: 2048,
        retryPolicy: {
          maxAttempts: 9,
          initialBackoff: '0.05s',
          maxBackoff: '1s',
          backoffMultiplier: 1.5,
          retryableStatusCodes: ['UNAVAILABLE', 8, 'deadline_exceeded'],
        },
      },
      { name: [{ service: 'a' }], timeout: '1.000000001s' },
      { name: [{ service: 'b' }], hedgingPolicy: { maxAttempts: 3, hedgingDelay: '0.1s' } },
    ],
    retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
    healthCheckConfig: { serviceName: 'user.User' },
  };
  const { methodConfig, retryThrottling, healthService } = read(config);
  expect(methodConfig[0]).toEqual({
    name: [{ service: 'user.User', method: 'Login' }, { service: 'user.User' }, {}],
    timeout: { seconds: 0, nanos: 500_000_000 },
    waitForReady: true,
    maxRequestBytes: 1024,
    maxResponseBytes: 2048,
    retryPolicy: {
      maxAttempts: 5,
      initialBackoff: '0.05s',
      maxBackoff: '1s',
      backoffMultiplier: 1.5,
      retryableStatusCodes: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED'],
    },
  });
  expect(methodConfig[1]?.timeout).toEqual({ seconds: 1, nanos: 1 });
  expect(methodConfig[2]?.hedgingPolicy).toEqual({
    maxAttempts: 3,
    hedgingDelay: '0.1s',
    nonFatalStatusCodes: [],
  });
  expect(retryThrottling).toEqual({ maxTokens: 10, tokenRatio: 0.1 });
  expect(healthService).toBe('user.User');
});

it('a field that is null counts as not set', () => {
  const config = {
    loadBalancingConfig: null,
    loadBalancingPolicy: null,
    methodConfig: [
      {
        name: [{ service: 'a', method: null }],
        timeout: null,
        waitForReady: null,
        maxRequestMessageBytes: null,
        maxResponseMessageBytes: null,
        retryPolicy: null,
        hedgingPolicy: { maxAttempts: 2, hedgingDelay: null, nonFatalStatusCodes: null },
      },
    ],
    retryThrottling: null,
    healthCheckConfig: null,
  };
  const hedgingPolicy = { maxAttempts: 2, hedgingDelay: '0s', nonFatalStatusCodes: [] };
  expect(read(config)).toEqual({
    policy: undefined,
    methodConfig: [{ name: [{ service: 'a' }], hedgingPolicy }],
    retryThrottling: undefined,
    healthService: undefined,
  });
  expect(read({ methodConfig: null }).methodConfig).toEqual([]);
  expect(policy({ least_request_experimental: { choiceCount: null } })?.options).toEqual({
    policy: 'least_request',
  });
});

it.each([{}, { serviceName: null }, { serviceName: '' }])(
  'a health check of %j is about the server as a whole',
  (healthCheckConfig) => {
    expect(read({ healthCheckConfig }).healthService).toBe('');
  },
);

it.each([
  ['0s', { seconds: 0, nanos: 0 }],
  ['-0s', { seconds: 0, nanos: 0 }],
  ['315576000000s', { seconds: 315_576_000_000, nanos: 0 }],
  ['2.25s', { seconds: 2, nanos: 250_000_000 }],
  // A negative timeout means no deadline, as in grpc-go.
  ['-1s', undefined],
  ['-0.001s', undefined],
])('a timeout of %s is read as %j', (timeout, expected) => {
  expect(read({ methodConfig: [{ name: [{}], timeout }] }).methodConfig[0]?.timeout).toEqual(
    expected,
  );
});

it('a hedging policy may have no delay and no codes', () => {
  const [config] = read({
    methodConfig: [{ name: [{}], hedgingPolicy: { maxAttempts: 9 } }],
  }).methodConfig;
  expect(config?.hedgingPolicy).toEqual({
    maxAttempts: 5,
    hedgingDelay: '0s',
    nonFatalStatusCodes: [],
  });
});

it('maxTokens may be below 1, and tokenRatio as large as the service likes', () => {
  const retryThrottling = { maxTokens: 0.5, tokenRatio: 5_000 };
  expect(read({ retryThrottling }).retryThrottling).toEqual(retryThrottling);
});

it('delays between attempts are cut to the longest delay of a timer', () => {
  const { retryPolicy } = read(retry({ initialBackoff: '99999999s', maxBackoff: '99999999s' }))
    .methodConfig[0]!;
  expect(retryPolicy).toMatchObject({ initialBackoff: '2147483.647s', maxBackoff: '2147483.647s' });
});

it('delays between attempts may be as short as a millisecond', () => {
  const { retryPolicy } = read(retry({ initialBackoff: '0.001s', maxBackoff: '0.001s' }))
    .methodConfig[0]!;
  expect(retryPolicy).toMatchObject({ initialBackoff: '0.001s', maxBackoff: '0.001s' });
});

it('the delay of hedges is cut to the longest delay of a timer', () => {
  const hedgingPolicy = { maxAttempts: 2, hedgingDelay: '99999999s' };
  const [config] = read({ methodConfig: [{ name: [{}], hedgingPolicy }] }).methodConfig;
  expect(config?.hedgingPolicy?.hedgingDelay).toBe('2147483.647s');
});

it('the first delay between attempts is cut to maxBackoff', () => {
  const { retryPolicy } = read(retry({ initialBackoff: '5s', maxBackoff: '.5s' })).methodConfig[0]!;
  expect(retryPolicy).toMatchObject({ initialBackoff: '0.5s', maxBackoff: '0.5s' });
});

const retry = (fields: object, beside: object = {}) => ({
  methodConfig: [
    {
      name: [{}],
      ...beside,
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: '1s',
        maxBackoff: '1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
        ...fields,
      },
    },
  ],
});

it.each([
  ['{', /not JSON/],
  ['[]', /the service config is \[\]; allowed: an object/],
  [{ loadBalancingConfig: {} }, /loadBalancingConfig is \{\}; allowed: an array/],
  [{ loadBalancingConfig: [] }, /at least one of .*round_robin/],
  [
    { loadBalancingConfig: [{ xds: {} }] },
    /loadBalancingConfig is "xds"; allowed: at least one of/,
  ],
  [{ loadBalancingConfig: [{ a: {}, b: {} }] }, /exactly one policy/],
  [{ loadBalancingConfig: [{ peak_ewma: { decayMs: 'x' } }] }, /peak_ewma\.decayMs is "x"/],
  [{ loadBalancingConfig: [{ consistent_hash: {} }] }, /consistent_hash\.hashKey/],
  [
    {
      loadBalancingConfig: [{ random_subsetting_experimental: { childPolicy: [{ random: {} }] } }],
    },
    /subsetSize/,
  ],
  [{ methodConfig: [{ name: [{ method: 'Login' }] }] }, /name\[0\]\.service/],
  [
    { methodConfig: [{ name: [{}], timeout: '5m' }] },
    /timeout is "5m"; allowed: a duration such as "0.5s"/,
  ],
  [
    {
      methodConfig: [
        { name: [{ service: 'a', method: 'b' }] },
        { name: [{ service: 'a', method: 'b' }] },
      ],
    },
    /methodConfig\[1\]\.name\[0\] is .*; allowed: each service and method once/,
  ],
  [{ methodConfig: [{ name: [{ service: 'a' }, { service: 'a', method: '' }] }] }, /name\[1\]/],
  [{ methodConfig: [{ name: [{}, { service: '' }] }] }, /name\[1\]/],
  [{ loadBalancingConfig: [{ round_robin: {} }, 7] }, /\[1\] is 7; allowed: an object/],
  [{ loadBalancingConfig: [{ ring_hash_experimental: { maxRingSize: 100 } }] }, /minRingSize/],
  [{ loadBalancingConfig: [{ ring_hash_experimental: { minRingSize: 5_000 } }] }, /minRingSize/],
  ...['x user', 'x-user-bin', 'grpc-user', 'ä'].map((requestHashHeader): [object, RegExp] => [
    { loadBalancingConfig: [{ ring_hash_experimental: { requestHashHeader } }] },
    /requestHashHeader is ".*"; allowed: a metadata key/,
  ]),
  ...['X-User', 'x-user-bin', 'grpc-user', ''].map((hashKey): [object, RegExp] => [
    { loadBalancingConfig: [{ consistent_hash: { hashKey } }] },
    /consistent_hash\.hashKey is ".*"; allowed: a metadata key/,
  ]),
  [
    { methodConfig: [{ name: [{}], waitForReady: 1 }] },
    /waitForReady is 1; allowed: true or false/,
  ],
  [
    retry({}, { hedgingPolicy: { maxAttempts: 2 } }),
    /methodConfig\[0\] is "an entry with both"; allowed: either retryPolicy or hedgingPolicy/,
  ],
  [
    { methodConfig: [{ name: [{}], hedgingPolicy: { maxAttempts: 2, hedgingDelay: '-0.1s' } }] },
    /hedgingPolicy\.hedgingDelay is "-0.1s"; allowed: a duration of 0 or more/,
  ],
  [
    { methodConfig: [{ name: [{}], hedgingPolicy: { maxAttempts: 2, hedgingDelay: '-0.001s' } }] },
    /hedgingDelay is "-0.001s"/,
  ],
  [retry({ maxAttempts: 1 }), /maxAttempts is 1/],
  [retry({ maxAttempts: null }), /maxAttempts is missing/],
  [retry({ initialBackoff: '0s' }), /initialBackoff is "0s"; allowed: a duration above 0/],
  [retry({ backoffMultiplier: 0 }), /backoffMultiplier is 0; allowed: a number above 0/],
  [retry({ initialBackoff: '5' }), /initialBackoff is "5"/],
  [retry({ retryableStatusCodes: [] }), /retryableStatusCodes is \[\]; allowed: at least one/],
  [retry({ retryableStatusCodes: ['NOPE'] }), /retryableStatusCodes\[0\] is "NOPE"/],
  [{ retryThrottling: { maxTokens: 2000, tokenRatio: 1 } }, /maxTokens is 2000; allowed: .* 1000/],
  [
    { retryThrottling: { maxTokens: 0, tokenRatio: 1 } },
    /maxTokens is 0; allowed: a number above 0/,
  ],
  [{ retryThrottling: { maxTokens: 1 } }, /tokenRatio is missing/],
])('a service config is refused: %j', (config, reason) => {
  expect(refused(config)).toMatch(reason);
});

it('a very deeply nested service config is refused, and does not end the process', () => {
  const depth = 10_000;
  const text = `{"loadBalancingConfig":${'[{"outlier_detection_experimental":{"childPolicy":'.repeat(depth)}[]${'}}]'.repeat(depth)}}`;
  expect(refused(text)).toMatch(/nested 8 deep at most|not JSON/);
});
