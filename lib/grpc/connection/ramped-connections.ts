/** Connects to all endpoints of a small fleet, and to as many of a large one as calls ask for, a few at a time. */
import type { CancelTimer } from '../../core/clock.js';
import type { BalancerPorts } from './connection-context.js';
import { type ConnectionPlan, inConnectOrder } from './connection-plan.js';
import { ConnectionRamp, type RampOptions } from './connection-ramp.js';
import type { ConnectionTable } from './connection-table.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** How long the first few of a large fleet are tried alone, in milliseconds: then all that are allowed are tried together. */
const HEAD_START_MS = 100;

/** The plan of every policy that calls more than one endpoint. */
export class RampedConnections implements ConnectionPlan {
  private readonly ramp: ConnectionRamp;
  private readonly isListed = (connection: EndpointConnection) => this.table.has(connection);
  private cancelHeadStart: CancelTimer | undefined;
  private isScheduled = false;
  private stopped = false;

  /** @param zoneOf the client's own zone, asked for with each list */
  constructor(
    private readonly table: ConnectionTable,
    private readonly ports: BalancerPorts,
    options: RampOptions,
    private readonly zoneOf: () => string | undefined,
  ) {
    this.ramp = new ConnectionRamp(options);
  }

  take(joined: readonly EndpointConnection[], isPart: boolean): void {
    const { table, ramp } = this;
    if (joined.length === table.size || ramp.isPartial) this.begin(isPart);
    else for (const connection of joined) ramp.expedite(connection);
    ramp.prune(table.size, this.isListed);
  }

  onChange(connection: EndpointConnection): void {
    const { table, ramp } = this;
    // It was ready: it comes before those that were never tried.
    if (connection.state === 'idle') ramp.expedite(connection);
    if (connection.state === 'ready') {
      if (!ramp.isPartial) ramp.open();
      for (const guest of ramp.takeGuests(table.count.ready)) table.rest(guest);
    }
    this.schedule();
  }

  onCall(): void {
    const { count, size } = this.table;
    if (count.idle > 0 && this.ramp.demand(size)) this.schedule();
  }

  run(): void {
    const { connecting, ready } = this.table.count;
    this.ramp.run(connecting, connecting + ready, this.isListed);
  }

  stop(): void {
    this.stopped = true;
    this.cancelHeadStart?.();
  }

  private begin(isPart: boolean): void {
    const { table, ramp, ports } = this;
    ramp.begin(inConnectOrder(table.values(), this.zoneOf(), ports.random), isPart);
    this.cancelHeadStart?.();
    if (!isPart && table.count.ready > 0) ramp.open();
    if (ramp.isOpen || table.size === 0) return;
    this.cancelHeadStart = ports.clock.setTimer(HEAD_START_MS, () => {
      if (table.count.ready === 0) ramp.open();
      this.run();
    });
  }

  /** Later in the same turn: who changes may be in the middle of something. */
  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      if (!this.stopped) this.run();
    });
  }
}
