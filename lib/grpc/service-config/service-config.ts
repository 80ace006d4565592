/** The gRPC service config that a resolver hands to its channel. */
import type { ServiceConfig } from '@grpc/grpc-js';
import { type BalancerSettings, loadBalancingEntry } from '../balancer/balancer-config.js';
import type { RetryConfig } from './retry-policy.js';

/** The service config for a client's choices, in grpc-js's form. */
export function createServiceConfig(
  settings: BalancerSettings,
  retries: RetryConfig = { methodConfig: [] },
): ServiceConfig {
  return {
    // grpc-js's type of the entry knows only its own policies.
    loadBalancingConfig: [
      loadBalancingEntry(settings),
    ] as unknown as ServiceConfig['loadBalancingConfig'],
    ...retries,
  };
}
