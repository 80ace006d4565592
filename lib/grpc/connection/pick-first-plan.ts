/**
 * Connects to one endpoint and, if there are canaries, to one canary as well. The next endpoint is tried when
 * the chosen one fails or is ejected.
 */
import { type CanaryOptions, matchesEndpoint } from '../../balance/modifiers/routing.js';
import type { Random } from '../../core/clock.js';
import type { ListFacts } from '../list-facts.js';
import { type ConnectPlan, inConnectOrder, type Preferences } from './connect-plan.js';
import type { ConnectionTable } from './connection-table.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** Keeps one endpoint connected, and one canary if there are any: the plan of `pick_first`. */
export class PickFirstPlan implements ConnectPlan {
  private order: EndpointConnection[] = [];
  private canary: CanaryOptions | undefined;
  private isScheduled = false;
  private stopped = false;

  /** @param isEjected whether outlier detection has ejected a connection */
  constructor(
    private readonly table: ConnectionTable,
    private readonly random: Random,
    private readonly isEjected: (connection: EndpointConnection) => boolean,
  ) {}

  /**
   * Known endpoints keep their places in the order, so that no client moves to another endpoint because
   * endpoints join.
   */
  follow(
    joined: readonly EndpointConnection[],
    _list: ListFacts,
    { zone, canary }: Preferences,
  ): void {
    this.canary = canary;
    const known = this.order.filter((connection) => this.table.has(connection));
    this.order = [...known, ...inConnectOrder(joined, zone, this.random)];
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

  /** Connects to the next endpoint if none is ready, and drops the connections that are not chosen. O(n). */
  run(): void {
    const { canary } = this;
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
      for (const other of others) this.table.disconnect(other);
      return;
    }
    if (listed.some(({ state }) => state === 'connecting')) return;
    const idle = listed.filter(({ state }) => state === 'idle');
    (idle.find((one) => !this.isEjected(one)) ?? idle[0])?.connect();
  }
}
