import { experimental } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { BALANCER_NAME, BalancerConfig } from '../../../../lib/grpc/balancer/balancer-config.js';
import { installBalancer } from '../../../../lib/grpc/balancer/install-balancer.js';
import { createBalancerSettings } from '../../../../lib/grpc/balancer/policies.js';
import { createServiceConfig } from '../../../../lib/grpc/service-config/service-config.js';

const settings = createBalancerSettings(
  { policy: 'least_request' },
  { clientId: '', subsetSize: undefined, zone: undefined },
);

it('createServiceConfig names the balancer once, with its settings unchanged', () => {
  const { loadBalancingConfig, methodConfig } = createServiceConfig(settings);
  expect(loadBalancingConfig).toEqual([{ [BALANCER_NAME]: { settings } }]);
  expect(methodConfig).toEqual([]);
});

it('grpc-js reads the balancing config as ours, and does not silently replace it by another', () => {
  installBalancer();
  const [entry] = createServiceConfig(settings).loadBalancingConfig;
  const { parseLoadBalancingConfig } = experimental;
  const parsed = parseLoadBalancingConfig(
    entry as object as Parameters<typeof parseLoadBalancingConfig>[0],
  );
  expect(parsed).toBeInstanceOf(BalancerConfig);
  expect(parsed.getLoadBalancerName()).toBe(BALANCER_NAME);
  expect((parsed as BalancerConfig).settings).toBe(settings);
});

it('createServiceConfig passes the method configs of retries on', () => {
  const methodConfig = [{ name: [{ service: 'user.User' }], waitForReady: true }];
  expect(createServiceConfig(settings, { methodConfig }).methodConfig).toBe(methodConfig);
});

it('a balancing config without settings is an error', () => {
  expect(() => BalancerConfig.createFromJson({})).toThrow(`${BALANCER_NAME} needs settings`);
});
