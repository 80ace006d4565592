/** A channel's config: the choices of its client, combined with the config that the service publishes. */
import { Metadata, type MethodConfig } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import {
  BalancerConfig,
  type BalancerSettings,
} from '../../../../lib/grpc/balancer/balancer-config.js';
import {
  ChannelConfig,
  type ChannelChoices,
} from '../../../../lib/grpc/service-config/channel-config.js';
import { type AttemptRules, OWN_CALL } from '../../../../lib/grpc/grpc-js/attempting-call.js';
import {
  createBalancerSettings,
  type LoadBalancingOptions,
} from '../../../../lib/grpc/balancer/policies.js';
import { createServiceConfig } from '../../../../lib/grpc/service-config/service-config.js';
import { settingsOf } from '../fake-channel.js';

const LOGIN = '/user.User/Login';
const RETRY = {
  maxAttempts: 2,
  initialBackoff: '0.1s',
  maxBackoff: '1s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
} satisfies MethodConfig['retryPolicy'];
const PUBLISHED = JSON.stringify({
  loadBalancingConfig: [{ least_request_experimental: {} }],
  methodConfig: [
    {
      name: [{ service: 'user.User' }],
      timeout: '2s',
      waitForReady: true,
      retryPolicy: { ...RETRY, maxAttempts: 5 },
    },
  ],
  retryThrottling: { maxTokens: 7, tokenRatio: 1 },
});

function channel(choices: Partial<ChannelChoices> = {}): ChannelConfig {
  const own = createServiceConfig(settingsOf({ policy: 'peak_ewma' }), {
    methodConfig: [{ name: [{ service: 'user.User', method: 'Login' }], retryPolicy: RETRY }],
    retryThrottling: { maxTokens: 100, tokenRatio: 0.1 },
  });
  return new ChannelConfig(own, {
    balancing: { clientId: 'one', subsetSize: undefined, zone: undefined },
    retries: true,
    timeouts: true,
    waitForReady: true,
    unaries: new Set([LOGIN]),
    streams: new Set(['/user.User/Watch']),
    ...choices,
  });
}

function settings({ serviceConfig }: ChannelConfig): BalancerSettings {
  const [entry] = serviceConfig.loadBalancingConfig;
  const [fields] = Object.values(entry ?? {}) as [{ settings: BalancerSettings }];
  return BalancerConfig.createFromJson(fields).settings;
}

function call(config: ChannelConfig) {
  const metadata = new Metadata();
  const { methodConfig } = config.selector.invoke(LOGIN, metadata, 1);
  return { ...methodConfig, options: metadata.getOptions() };
}

it('without a published config all settings are those of the client', () => {
  const config = channel();
  expect(settings(config).policy.name).toBe('peak_ewma');
  expect(call(config)).toMatchObject({ retryPolicy: RETRY, options: {} });
  expect(config.serviceConfig.retryThrottling).toEqual({ maxTokens: 100, tokenRatio: 0.1 });
});

it('settings that the client left open are those of the service', () => {
  const config = channel();
  expect(config.follow(PUBLISHED)).toBeUndefined();
  expect(settings(config).policy.name).toBe('least_request');
  expect(call(config)).toMatchObject({
    timeout: { seconds: 2, nanos: 0 },
    retryPolicy: { maxAttempts: 5 },
    options: { waitForReady: true },
  });
  expect(config.serviceConfig.retryThrottling).toEqual({ maxTokens: 7, tokenRatio: 1 });
});

it('settings that the client chose are not changed by the service', () => {
  const config = channel({
    balancing: undefined,
    retries: false,
    timeouts: false,
    waitForReady: false,
  });
  config.follow(PUBLISHED);
  expect(settings(config).policy.name).toBe('peak_ewma');
  expect(call(config)).toMatchObject({ retryPolicy: RETRY, options: {} });
  expect(call(config)).not.toHaveProperty('timeout');
  expect(config.serviceConfig.retryThrottling).toEqual({ maxTokens: 100, tokenRatio: 0.1 });
});

it('an invalid config changes nothing, and the next valid config is used', () => {
  const config = channel();
  config.follow(PUBLISHED);
  const { serviceConfig, selector } = config;
  expect(config.follow('{"loadBalancingConfig":[{"nope":{}}]}')).toMatch(/nope/);
  expect(config.serviceConfig).toBe(serviceConfig);
  expect(config.selector).toBe(selector);
  config.follow('{"loadBalancingConfig":[{"random":{}}]}');
  expect(settings(config).policy.name).toBe('random');
});

it('isPublished says whether a published config is in use', () => {
  const config = channel();
  config.follow('{');
  expect(config.isPublished).toBe(false);
  config.follow(PUBLISHED);
  config.follow('{');
  expect(config.isPublished).toBe(true);
  config.follow(undefined);
  config.follow('{');
  expect(config.isPublished).toBe(false);
});

it('when the published config is gone, all settings are those of the client again', () => {
  const config = channel();
  const { serviceConfig } = config;
  config.follow(PUBLISHED);
  config.follow(undefined);
  expect(config.serviceConfig).toBe(serviceConfig);
  expect(call(config)).not.toHaveProperty('timeout');
});

const subset = (subsetSize: number) =>
  JSON.stringify({
    loadBalancingConfig: [
      { random_subsetting_experimental: { subsetSize, childPolicy: [{ random: {} }] } },
    ],
  });

it("the client's own subset size and zone stay under a published policy", () => {
  const balancing = { clientId: 'one', subsetSize: 5, zone: 'here' };
  const chosen = channel({ balancing });
  chosen.follow(subset(9));
  expect(settings(chosen).subset?.size).toBe(5);
  expect(settings(chosen).pipeline.locality).toEqual({ zone: 'here' });
  const left = channel();
  left.follow(subset(9));
  expect(settings(left).subset?.size).toBe(9);
});

const WRAPPED = (child: object) =>
  JSON.stringify({
    loadBalancingConfig: [
      {
        random_subsetting_experimental: {
          subsetSize: 9,
          childPolicy: [
            {
              outlier_detection_experimental: {
                successRateEjection: { requestVolume: 7 },
                childPolicy: [child],
              },
            },
          ],
        },
      },
    ],
    healthCheckConfig: { serviceName: 'user.User' },
  });
const HASHED = WRAPPED({ consistent_hash: { hashKey: 'x-user', loadFactor: 2 } });

/** A channel whose client chose these balancing options. */
function choosing(chosen: LoadBalancingOptions, subsetSize?: number): ChannelConfig {
  const traits = { clientId: 'one', subsetSize, zone: undefined };
  const own = createServiceConfig(createBalancerSettings(chosen, traits));
  const choices = {
    retries: true,
    timeouts: true,
    waitForReady: true,
    unaries: new Set<string>(),
    streams: new Set<string>(),
  };
  return new ChannelConfig(own, { balancing: traits, chosen, ...choices });
}

it('a client that chose only a policy gets the modifiers of the service', () => {
  const config = choosing({ policy: 'round_robin' });
  config.follow(HASHED);
  expect(settings(config)).toMatchObject({
    policy: { name: 'round_robin' },
    subset: { size: 9, clientId: 'one' },
    healthService: 'user.User',
    outliers: { minRequests: 7 },
  });
  expect(settings(config).policy).toMatchObject({ name: 'round_robin', options: {} });
});

it('a client that chose only modifiers gets the policy of the service', () => {
  const config = choosing({ outlierDetection: { minRequests: 3 }, healthCheck: false }, 5);
  config.follow(HASHED);
  expect(settings(config)).toMatchObject({
    policy: { name: 'consistent_hash', options: { loadFactor: 2 } },
    subset: { size: 5 },
    healthService: undefined,
    outliers: { minRequests: 3 },
  });
});

it('a published health check without a policy does not change the policy of the client', () => {
  const config = choosing({ policy: 'random' });
  config.follow('{"healthCheckConfig":{}}');
  expect(settings(config)).toMatchObject({ policy: { name: 'random' }, healthService: '' });
  const refusing = choosing({ policy: 'random', healthCheck: false });
  const before = settings(refusing);
  refusing.follow('{"healthCheckConfig":{}}');
  expect(settings(refusing)).toBe(before);
});

it('a new published config with the same balancing keeps the same settings object', () => {
  const config = choosing({});
  const own = settings(config);
  config.follow('{"methodConfig":[{"name":[{}],"timeout":"1s"}]}');
  expect(settings(config)).toBe(own);
  config.follow(HASHED);
  const hashed = settings(config);
  expect(hashed).not.toBe(own);
  config.follow(
    JSON.stringify({ ...JSON.parse(HASHED), methodConfig: [{ name: [{}], timeout: '2s' }] }),
  );
  expect(settings(config)).toBe(hashed);
  expect(call(config).timeout?.seconds).toBe(2);
  config.follow(WRAPPED({ consistent_hash: { hashKey: 'x-user', loadFactor: 3 } }));
  expect(settings(config)).not.toBe(hashed);
  config.follow(undefined);
  expect(settings(config)).toBe(own);
});

const published = (method: string) =>
  JSON.stringify({ methodConfig: [{ name: [{ service: 'user.User', method }], timeout: '2s' }] });

it('unknownNames has the published names that the client does not know, and the rest of the config is used', () => {
  const method = { service: 'user.User', method: 'Login', callName: 'login' };
  const config = channel({ methods: [{ ...method, isStreaming: false, isIdempotent: false }] });
  expect(config.follow(published('login'))).toBeUndefined();
  expect(config.unknownNames).toBe('method "user.User/login" (did you mean Login?)');
  config.follow(published('Login'));
  expect(config.unknownNames).toBeUndefined();
  expect(call(config).timeout).toEqual({ seconds: 2, nanos: 0 });
  config.follow(published('login'));
  config.follow(undefined);
  expect(config.unknownNames).toBeUndefined();
});

function throttleOf(config: ChannelConfig, retries: boolean) {
  const selected = config.selector.invoke(LOGIN, new Metadata(), 1);
  expect(selected.methodConfig.retryPolicy === undefined).toBe(!retries);
  return (Reflect.get(selected, OWN_CALL) as AttemptRules).throttle;
}

it('retries that a service publishes are throttled, even if neither side sets a throttle', () => {
  const policy = JSON.stringify({ methodConfig: [{ name: [{}], retryPolicy: RETRY }] });
  const own = createServiceConfig(settingsOf());
  const choices = { balancing: undefined, timeouts: true, waitForReady: true };
  const kinds = { unaries: new Set<string>(), streams: new Set<string>() };
  const open = new ChannelConfig(own, { ...choices, ...kinds, retries: true });
  open.follow(policy);
  const throttle = throttleOf(open, true);
  for (let failure = 0; failure < 60; failure++) throttle?.addCallFailed();
  expect(throttle?.canRetryCall()).toBe(false);
  // A new published config does not fill the bucket.
  open.follow(PUBLISHED);
  expect(throttleOf(open, true)?.canRetryCall()).toBe(false);
  const closed = new ChannelConfig(own, { ...choices, ...kinds, retries: false });
  closed.follow(policy);
  expect(throttleOf(closed, false)).toBeUndefined();
});

it('500 refused attempts may be repeated, and then one call in ten', () => {
  const selected = channel().selector.invoke(LOGIN, new Metadata(), 1);
  const { refusals } = Reflect.get(selected, OWN_CALL) as AttemptRules;
  for (let repeated = 0; repeated < 500; repeated++) {
    expect(refusals.canRetryCall()).toBe(true);
    refusals.addCallFailed();
  }
  expect(refusals.canRetryCall()).toBe(false);
  refusals.addCallFailed();
  for (let answer = 0; answer < 9; answer++) refusals.addCallSucceeded();
  expect(refusals.canRetryCall()).toBe(false);
  for (let answer = 0; answer < 2; answer++) refusals.addCallSucceeded();
  expect(refusals.canRetryCall()).toBe(true);
});
