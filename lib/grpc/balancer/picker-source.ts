/**
 * Makes the pickers of one balancer, each from the picker before it, and reports when weights are due to
 * change.
 */
import { composePools } from '../../balance/candidate-pipeline.js';
import { FleetLoad } from '../../balance/load/fleet-load.js';
import type { Picker } from '../../balance/picker.js';
import { createPipelinePicker } from '../../balance/policy.js';
import type { CancelTimer } from '../../core/clock.js';
import type { BalancerSettings } from './balancer-config.js';
import type { BalancerPorts } from '../connection/connection-settings.js';
import type { EndpointConnection } from '../connection/endpoint-connection.js';

/** Makes one balancer's pickers, each from the picker before it, and sums the load of all endpoints. */
export class PickerSource {
  /** The sums of the load of all endpoints. */
  readonly fleet = new FleetLoad();
  private current: Picker<EndpointConnection> | undefined;
  private cancelTimer: CancelTimer | undefined;

  /**
   * @param isEjected whether outlier detection has ejected a connection
   * @param onDue called when weights have changed by time alone, so that a new picker is needed
   */
  constructor(
    private readonly ports: BalancerPorts,
    private readonly isEjected: (connection: EndpointConnection) => boolean,
    private readonly onDue: () => void,
  ) {}

  /**
   * Makes the picker for the connections in their present states. O(n).
   *
   * @returns `undefined` if no connection that is ready may be called
   * @throws the error of a user's policy
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

  /** Forgets the current picker, because no endpoint can be called: the next picker starts anew. */
  forget(): void {
    this.current = undefined;
    this.stop();
  }

  stop(): void {
    this.cancelTimer?.();
  }
}
