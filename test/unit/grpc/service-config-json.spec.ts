/** What a service may publish, as grpc-go reads it, and what is refused. */
import { afterEach, expect, it } from 'vitest';
import { registerLoadBalancingPolicy } from '../../../lib/grpc/policies.js';
import { parseServiceConfig, type PublishedConfig } from '../../../lib/grpc/service-config-json.js';

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

it('an empty config asks for nothing', () => {
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
  ['least_request_experimental', { choiceCount: 3 }, { policy: 'least_request' }],
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
])('%s %j', (name, fields, options) => {
  expect(policy({ [name]: fields })).toEqual({ options, subsetSize: undefined });
});

it('takes the first policy it knows', () => {
  expect(policy({ xds_cluster_impl: {} }, { peak_ewma: {} }, { round_robin: {} })?.options).toEqual(
    {
      policy: 'peak_ewma',
    },
  );
});

it('knows a policy of ones own', () => {
  registerLoadBalancingPolicy('mine', (pool) => ({ pick: () => pool.candidates[0]! }));
  expect(policy({ mine: {} })?.options).toEqual({ policy: 'mine' });
});

it('reads the legacy policy name', () => {
  expect(read({ loadBalancingPolicy: 'ROUND_ROBIN' }).policy?.options).toEqual({
    policy: 'round_robin',
  });
});

const outlier = (childPolicy: unknown) => ({
  outlier_detection_experimental: {
    interval: '2s',
    baseEjectionTime: '5s',
    maxEjectionPercent: 50,
    failurePercentageEjection: { threshold: 40, requestVolume: 10, minimumHosts: 2 },
    childPolicy,
  },
});
const subset = (childPolicy: unknown) => ({
  random_subsetting_experimental: { subsetSize: 20, childPolicy },
});

it('subsets and outlier detection wrap a child policy, in any order', () => {
  const expected = {
    options: {
      policy: 'least_request',
      outlierDetection: {
        intervalMs: 2_000,
        baseEjectionMs: 5_000,
        maxEjectionMs: 300_000,
        maxEjectedShare: 0.5,
        failureMargin: 0.4,
        minRequests: 10,
      },
    },
    subsetSize: 20,
  };
  const leaf = [{ least_request_experimental: {} }];
  expect(policy(outlier([subset(leaf)]))).toEqual(expected);
  expect(policy(subset([outlier(leaf)]))).toEqual(expected);
});

it('outlier detection without a kind of ejection ejects nobody, as in gRPC', () => {
  const wrapped = { outlier_detection_experimental: { childPolicy: [{ round_robin: {} }] } };
  expect(policy(wrapped)?.options.outlierDetection).toBe(false);
});

it('method configs come in the form of grpc-js', () => {
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

const retry = (fields: object) => ({
  methodConfig: [
    {
      name: [{}],
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
  [{ methodConfig: [{ name: [{}], timeout: 5 }] }, /timeout is 5; allowed: a duration above 0/],
  [{ methodConfig: [{ name: [{}], timeout: '0s' }] }, /timeout/],
  [
    { methodConfig: [{ name: [{}], waitForReady: 1 }] },
    /waitForReady is 1; allowed: true or false/,
  ],
  [retry({ maxAttempts: 1 }), /maxAttempts is 1/],
  [retry({ initialBackoff: '5' }), /initialBackoff is "5"/],
  [retry({ retryableStatusCodes: [] }), /retryableStatusCodes is \[\]; allowed: at least one/],
  [retry({ retryableStatusCodes: ['NOPE'] }), /retryableStatusCodes\[0\] is "NOPE"/],
  [{ retryThrottling: { maxTokens: 2000, tokenRatio: 1 } }, /maxTokens is 2000; allowed: .* 1000/],
])('refuses %j', (config, reason) => {
  expect(refused(config)).toMatch(reason);
});

it('no nesting, however deep, ends the process', () => {
  const depth = 10_000;
  const text = `{"loadBalancingConfig":${'[{"outlier_detection_experimental":{"childPolicy":'.repeat(depth)}[]${'}}]'.repeat(depth)}}`;
  expect(refused(text)).toMatch(/nested 8 deep at most|not JSON/);
});
