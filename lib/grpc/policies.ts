/** The load balancing policies a client can ask for by name, and the gRPC configuration each stands for. */
import { DiscoveryError } from '../core/discovery-error.js';
import { parseLoadBalancingConfig } from './grpc-experimental.js';

/** Names of the policies. */
export const LOAD_BALANCING_POLICIES = ['round_robin', 'pick_first'] as const;

/**
 * - `round_robin`: calls rotate over all live endpoints.
 * - `pick_first`: all calls go to one endpoint while it lives.
 */
export type LoadBalancingPolicy = (typeof LOAD_BALANCING_POLICIES)[number];

/** The policy of a client that does not say. */
export const DEFAULT_LOAD_BALANCING: LoadBalancingPolicy = 'round_robin';

/** Whether a value names a policy. */
export function isLoadBalancingPolicy(value: unknown): value is LoadBalancingPolicy {
  return LOAD_BALANCING_POLICIES.some((policy) => policy === value);
}

/** One entry of a gRPC service config's `loadBalancingConfig`. */
export type LoadBalancingConfigEntry = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * The `loadBalancingConfig` of a policy, checked by grpc-js itself: what it cannot parse it would silently replace.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function loadBalancingConfig(policy: LoadBalancingPolicy): LoadBalancingConfigEntry {
  const entry = { [policy]: {} };
  try {
    parseLoadBalancingConfig(entry);
  } catch (cause) {
    throw new DiscoveryError(
      'INVALID_OPTION',
      `loadBalancing "${policy}" is not accepted by grpc-js; allowed: ${LOAD_BALANCING_POLICIES.join(', ')}`,
      { cause },
    );
  }
  return entry;
}
