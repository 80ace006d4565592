/** The balancer's configuration inside a gRPC service config, and the one name it is registered under. */
import type { OutlierOptions } from '../../balance/modifiers/outlier-detection.js';
import type { TypedLoadBalancingConfig } from '../grpc-js/grpc-experimental.js';
import type { ListSettings } from '../list-facts.js';
import type { RampOptions } from '../connection/ramp-plan.js';

/** The name under which grpc-js knows the balancer. */
export const BALANCER_NAME = 'nestjs_grpc_discovery';

/** How a channel balances: a policy, and what modifies it. */
export interface BalancerSettings extends ListSettings {
  /** Options of outlier detection; `undefined`: no endpoint is ejected. */
  readonly outliers: OutlierOptions | undefined;
  /**
   * The service to ask `grpc.health.v1` about; empty: the server as a whole; `undefined`: no health check.
   */
  readonly healthService: string | undefined;
  readonly ramp: RampOptions;
  readonly connectTimeoutMs: number;
}

/** Settings in the form grpc-js hands to a balancer. */
export class BalancerConfig implements TypedLoadBalancingConfig {
  constructor(readonly settings: BalancerSettings) {}

  getLoadBalancerName(): string {
    return BALANCER_NAME;
  }

  /** Only gRPC's traces use the result; it leaves functions in the settings out. */
  toJsonObject(): object {
    return { [BALANCER_NAME]: { settings: this.settings } };
  }

  /** grpc-js calls this method with the entry that `loadBalancingEntry` has made in the same process. */
  static createFromJson(entry: { readonly settings?: BalancerSettings }): BalancerConfig {
    if (entry.settings === undefined) throw new Error(`${BALANCER_NAME} needs settings`);
    return new BalancerConfig(entry.settings);
  }
}

/** The entry of a service config's `loadBalancingConfig` that carries these settings. */
export function loadBalancingEntry(settings: BalancerSettings): Readonly<Record<string, object>> {
  return { [BALANCER_NAME]: { settings } };
}
