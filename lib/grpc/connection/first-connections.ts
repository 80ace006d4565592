/**
 * Connects to one endpoint for the stable calls and, where some calls are set apart, to one for the canaries. The next is tried when
 * that one fails or is ejected.
 */
import { type CanaryOptions, matchesEndpoint } from '../../balance/modifiers/routing.js';
import type { BalancerPorts } from './connection-context.js';
import { type ConnectionPlan, inConnectOrder } from './connection-plan.js';
import type { ConnectionTable } from './connection-table.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** The plan of `pick_first`. */
export class FirstConnections implements ConnectionPlan {
  private order: EndpointConnection[] = [];
  private isScheduled = false;
  private stopped = false;

  /**
   * @param isEjected whether outlier detection leaves a connection out
   * @param canaryOf which calls are set apart, asked for at each step
   * @param zoneOf the client's own zone, asked for with each list
   */
  constructor(
    private readonly table: ConnectionTable,
    private readonly ports: BalancerPorts,
    private readonly isEjected: (connection: EndpointConnection) => boolean,
    private readonly canaryOf: () => CanaryOptions | undefined,
    private readonly zoneOf: () => string | undefined,
  ) {}

  /** Who was there keeps its place, so that a list which grows moves nobody. */
  take(joined: readonly EndpointConnection[]): void {
    const known = this.order.filter((connection) => this.table.has(connection));
    this.order = [...known, ...inConnectOrder(joined, this.zoneOf(), this.ports.random)];
  }

  onChange(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      if (!this.stopped) this.run();
    });
  }

  onCall(): void {}

  /** O(n). */
  run(): void {
    const canary = this.canaryOf();
    if (canary === undefined) {
      this.runPool(this.order);
      return;
    }
    const isCanary = (one: EndpointConnection): boolean => matchesEndpoint(one, canary.match);
    this.runPool(this.order.filter((one) => !isCanary(one)));
    this.runPool(this.order.filter(isCanary));
  }

  stop(): void {
    this.stopped = true;
  }

  private runPool(pool: readonly EndpointConnection[]): void {
    const listed = pool.filter((one) => this.table.has(one));
    const chosen = listed.find((one) => one.state === 'ready' && !this.isEjected(one));
    if (chosen !== undefined) {
      const others = listed.filter((one) => one !== chosen && one.state !== 'idle');
      for (const other of others) this.table.rest(other);
      return;
    }
    if (listed.some(({ state }) => state === 'connecting')) return;
    const idle = listed.filter(({ state }) => state === 'idle');
    (idle.find((one) => !this.isEjected(one)) ?? idle[0])?.connect();
  }
}
