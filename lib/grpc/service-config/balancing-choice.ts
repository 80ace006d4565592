/**
 * Combines the balancing options of a client with those that the service asks for. The client's options win.
 */
import type { LoadBalancingOptions } from '../balancer/policies.js';
import type { PublishedConfig } from './service-config-json.js';

/**
 * Options that were chosen. An option that is missing in `options` is open; no field of `options` is
 * `undefined`.
 */
export interface BalancingChoice {
  readonly options: LoadBalancingOptions;
  /** The size of the client's subset; `undefined`: open. */
  readonly subsetSize: number | undefined;
}

/**
 * Fills in the options that a client left open with those of the service. Each modifier is filled in on its
 * own. The options of a policy come from the side that names the policy.
 *
 * @param chosen the options of the client
 */
export function fillBalancing(
  chosen: BalancingChoice,
  { policy, healthService }: Pick<PublishedConfig, 'policy' | 'healthService'>,
): BalancingChoice {
  const { outlierDetection, ...asked } = policy?.options ?? {};
  const { options: mine } = chosen;
  return {
    options: {
      ...(mine.policy === undefined ? asked : {}),
      ...(outlierDetection === undefined ? {} : { outlierDetection }),
      ...(healthService === undefined ? {} : { healthCheck: healthService || true }),
      ...mine,
    },
    subsetSize: chosen.subsetSize ?? policy?.subsetSize,
  };
}
