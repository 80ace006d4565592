/** How a channel balances: as its client says, and for what it does not say as the service asks. */
import type { LoadBalancingOptions } from '../balancer/policies.js';
import type { PublishedConfig } from './service-config-json.js';

/** Options that were chosen; what is left out is open, and no field is `undefined`. */
export interface BalancingChoice {
  readonly options: LoadBalancingOptions;
  /** `undefined`: open. */
  readonly subsetSize: number | undefined;
}

/**
 * Fills in what a client left open. Each modifier is an option of its own; the options of a policy are part of the policy,
 * and come from whoever names that.
 *
 * @param chosen the client's
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
