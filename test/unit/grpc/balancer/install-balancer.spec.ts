import { type ChannelOptions, connectivityState, experimental } from '@grpc/grpc-js';
import { createLoadBalancer } from '@grpc/grpc-js/build/src/load-balancer.js';
import { expect, it } from 'vitest';
import { BALANCER_NAME, BalancerConfig } from '../../../../lib/grpc/balancer/balancer-config.js';
import { connectionAttributes } from '../../../../lib/grpc/balancer/connection-reporting.js';
import { installBalancer } from '../../../../lib/grpc/balancer/install-balancer.js';
import {
  type LoadBalancer,
  statusOrFromValue,
} from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { ConnectionReports } from '../../../../lib/registry/directory/connection-reports.js';
import { endpoint, FakeSubchannel, settingsOf } from '../fake-channel.js';

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

it('the installed balancer reports its connections to the directory of its list until it is destroyed', () => {
  const made: FakeSubchannel[] = [];
  const helper = {
    createSubchannel: ({ host, port }: { host: string; port: number }) => {
      const subchannel = new FakeSubchannel(`${host}:${port}`, {});
      made.push(subchannel);
      return subchannel.asSubchannel;
    },
    updateState: () => {},
    requestReresolution: () => {},
  };
  const config = new BalancerConfig(settingsOf());
  const balancer = createLoadBalancer(config as never, helper as never) as LoadBalancer | null;
  const reports = new ConnectionReports(() => {});
  const list = statusOrFromValue([endpoint('10.0.0.1:1')]);
  balancer?.updateAddressList(list, config, connectionAttributes(reports) as ChannelOptions, '');
  made[0]?.become(connectivityState.READY);
  expect(reports.isReady('10.0.0.1:1')).toBe(true);
  balancer?.destroy();
  expect([reports.isReady('10.0.0.1:1'), made[0]?.refs]).toEqual([false, 0]);
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
