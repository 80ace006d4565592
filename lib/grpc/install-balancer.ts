/** Makes the balancer known to grpc-js, once per process. */
import { systemClock } from '../registry/system-clock.js';
import { BALANCER_NAME, BalancerConfig } from './balancer-config.js';
import { EndpointBalancer } from './endpoint-balancer.js';
import {
  type ChannelControlHelper,
  isLoadBalancerNameRegistered,
  registerLoadBalancerType,
} from './grpc-experimental.js';

/** The balancer on real time. */
class SystemEndpointBalancer extends EndpointBalancer {
  constructor(helper: ChannelControlHelper) {
    super(helper, { clock: systemClock, random: Math.random });
  }
}

/** May be called again. */
export function installBalancer(): void {
  if (isLoadBalancerNameRegistered(BALANCER_NAME)) return;
  registerLoadBalancerType(BALANCER_NAME, SystemEndpointBalancer, BalancerConfig);
}
