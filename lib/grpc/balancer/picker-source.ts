/** Makes the pickers of one balancer, each of which replaces the one before, and reports when weights are due to change. */
import { composePools } from '../../balance/candidate-pipeline.js';
import { FleetLoad } from '../../balance/load/fleet-load.js';
import type { Picker } from '../../balance/picker.js';
import { createPipelinePicker } from '../../balance/policy.js';
import type { CancelTimer } from '../../core/clock.js';
import type { BalancerSettings } from './balancer-config.js';
import type { BalancerPorts } from '../connection/connection-settings.js';
import type { EndpointConnection } from '../connection/endpoint-connection.js';

/** The succession of pickers over one fleet. */
export class PickerSource {
  /** The sums over all endpoints. */
  readonly fleet = new FleetLoad();
  private current: Picker<EndpointConnection> | undefined;
  private cancelTimer: CancelTimer | undefined;

  /**
   * @param isEjected whether outlier detection leaves a connection out
   * @param onDue the weights have changed by time alone: another picker is wanted
   */
  constructor(
    private readonly ports: BalancerPorts,
    private readonly isEjected: (connection: EndpointConnection) => boolean,
    private readonly onDue: () => void,
  ) {}

  /**
   * The picker for the connections as they are. O(n).
   *
   * @returns `undefined` if no connection that is ready may be called
   * @throws what a policy of the user's own throws
   */
  next(
    { policy, pipeline }: BalancerSettings,
    connections: Iterable<EndpointConnection>,
  ): Picker<EndpointConnection> | undefined {
    const { clock, random } = this.ports;
    const pools = composePools(
      {
        candidates: [...connections],
        isReady: ({ state }) => state === 'ready',
        isMissing: ({ state }) => state === 'failed',
        isEjected: this.isEjected,
        isWeighted: policy.usesWeight,
      },
      pipeline,
      clock.now(),
    );
    this.stop();
    if (pools.recomputeMs !== undefined) {
      this.cancelTimer = clock.setTimer(pools.recomputeMs, this.onDue);
    }
    const { fleet } = this;
    const canary = pipeline.routing?.canary;
    this.current = createPipelinePicker(policy, pools, canary, { random, fleet }, this.current);
    return this.current;
  }

  /** No endpoint can be called: the next picker replaces none. */
  forget(): void {
    this.current = undefined;
    this.stop();
  }

  stop(): void {
    this.cancelTimer?.();
  }
}
