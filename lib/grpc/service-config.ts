/** The gRPC service config that a resolver hands to its channel. */
import type { ServiceConfig } from '@grpc/grpc-js';
import { type LoadBalancingPolicy, loadBalancingConfig } from './policies.js';

/**
 * The service config for a client's choices, in grpc-js's form.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function createServiceConfig(policy: LoadBalancingPolicy): ServiceConfig {
  return {
    // grpc-js types the entry by its own policies only.
    loadBalancingConfig: [loadBalancingConfig(policy)] as ServiceConfig['loadBalancingConfig'],
    methodConfig: [],
  };
}
