/** Makes the balancer known to grpc-js, once per process. */
import { systemClock } from '../../registry/system-clock.js';
import { BALANCER_NAME, BalancerConfig } from './balancer-config.js';
import { ConnectionReporting } from './connection-reporting.js';
import { EndpointBalancer } from './endpoint-balancer.js';
import {
  type ChannelControlHelper,
  isLoadBalancerNameRegistered,
  registerLoadBalancerType,
} from '../grpc-js/grpc-experimental.js';

/** The balancer with the real clock and random numbers; it reports its connections to the directory. */
class SystemEndpointBalancer extends EndpointBalancer {
  private readonly reporting: ConnectionReporting;

  constructor(helper: ChannelControlHelper) {
    const reporting = new ConnectionReporting(helper);
    super(reporting.helper, { clock: systemClock, random: Math.random });
    this.reporting = reporting;
  }

  override updateAddressList(...args: Parameters<EndpointBalancer['updateAddressList']>): boolean {
    this.reporting.follow(args[2]);
    return super.updateAddressList(...args);
  }

  override destroy(): void {
    super.destroy();
    this.reporting.close();
  }
}

/** Registers the balancer. May be called again. */
export function installBalancer(): void {
  if (isLoadBalancerNameRegistered(BALANCER_NAME)) return;
  registerLoadBalancerType(BALANCER_NAME, SystemEndpointBalancer, BalancerConfig);
}
