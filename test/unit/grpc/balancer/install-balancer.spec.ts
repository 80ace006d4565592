/** The balancer in the table of grpc-js. */
import { connectivityState } from '@grpc/grpc-js';
import { createLoadBalancer } from '@grpc/grpc-js/build/src/load-balancer.js';
import { expect, it } from 'vitest';
import { BALANCER_NAME, BalancerConfig } from '../../../../lib/grpc/balancer/balancer-config.js';
import { connectionAttributes } from '../../../../lib/grpc/balancer/connection-reporting.js';
import { EndpointBalancer } from '../../../../lib/grpc/balancer/endpoint-balancer.js';
import { installBalancer } from '../../../../lib/grpc/balancer/install-balancer.js';
import {
  type LoadBalancer,
  registerLoadBalancerType,
  statusOrFromValue,
} from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { ConnectionReports } from '../../../../lib/registry/directory/connection-reports.js';
import { endpoint, FakeSubchannel, settingsOf } from '../fake-channel.js';

const config = new BalancerConfig(settingsOf());

/** What grpc-js makes for a channel whose service config names the balancer. */
function make(helper: object = {}): LoadBalancer | null {
  return createLoadBalancer(config as never, helper as never) as LoadBalancer | null;
}

it('grpc-js makes the balancer for its name', () => {
  installBalancer();
  expect(make()).toBeInstanceOf(EndpointBalancer);
});

it('the balancer that was installed first stays, for example that of another copy of this library', () => {
  installBalancer();
  const ours = make()?.constructor;
  class Other {}
  registerLoadBalancerType(BALANCER_NAME, Other as never, BalancerConfig as never);
  try {
    installBalancer();
    expect(make()).toBeInstanceOf(Other);
  } finally {
    registerLoadBalancerType(BALANCER_NAME, ours as never, BalancerConfig as never);
  }
});

it('the balancer reports its connections to the directory of its list until it is destroyed', () => {
  installBalancer();
  const made: FakeSubchannel[] = [];
  const balancer = make({
    createSubchannel: ({ host, port }: { host: string; port: number }) => {
      const subchannel = new FakeSubchannel(`${host}:${port}`, {});
      made.push(subchannel);
      return subchannel.asSubchannel;
    },
    updateState: () => {},
    requestReresolution: () => {},
  });
  const reports = new ConnectionReports(() => {});
  const list = statusOrFromValue([endpoint('10.0.0.1:1')]);
  balancer?.updateAddressList(list, config, connectionAttributes(reports) as never, '');
  made[0]?.become(connectivityState.READY);
  expect(reports.isReady('10.0.0.1:1')).toBe(true);
  balancer?.destroy();
  expect([reports.isReady('10.0.0.1:1'), made[0]?.refs]).toEqual([false, 0]);
});
