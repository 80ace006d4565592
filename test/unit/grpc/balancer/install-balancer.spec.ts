import { experimental } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { BALANCER_NAME, BalancerConfig } from '../../../../lib/grpc/balancer/balancer-config.js';
import { installBalancer } from '../../../../lib/grpc/balancer/install-balancer.js';
import { settingsOf } from '../fake-channel.js';

const { parseLoadBalancingConfig, registerLoadBalancerType } = experimental;
type Registration = Parameters<typeof registerLoadBalancerType>;

/** The balancing config as grpc-js reads it. */
const read = (): unknown =>
  parseLoadBalancingConfig({ [BALANCER_NAME]: { settings: settingsOf() } } as never);

it('installBalancer makes the balancer known to grpc-js, and may be called again', () => {
  expect(read).toThrow(`Unrecognized load balancing config name ${BALANCER_NAME}`);
  installBalancer();
  installBalancer();
  expect(read()).toBeInstanceOf(BalancerConfig);
});

it('installBalancer leaves the balancer that another copy of the library has installed', () => {
  const theirs = {};
  registerLoadBalancerType(
    BALANCER_NAME,
    class {} as unknown as Registration[1],
    { createFromJson: () => theirs } as unknown as Registration[2],
  );
  installBalancer();
  expect(read()).toBe(theirs);
});
