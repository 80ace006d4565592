/**
 * Connects to a few endpoints at a time, so that thousands of them neither block the event loop nor delay the first call: to all of a
 * small fleet, and to as many of a large one as calls ask for, so that a quiet client of a large fleet stays small.
 */
import type { CancelTimer } from '../../core/clock.js';
import type { ListFacts } from '../list-facts.js';
import type { BalancerPorts } from './connection-settings.js';
import { type ConnectPlan, inConnectOrder, type Preferences } from './connect-plan.js';
import type { ConnectionTable } from './connection-table.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** How a ramp runs. */
export interface RampOptions {
  /** Connections made before any call asks for more. */
  readonly eager: number;
  /** Attempts under way at the same time. */
  readonly concurrency: number;
}

/** A fleet up to `eager` is connected to as a whole; beyond it each call adds one connection. */
export const DEFAULT_RAMP: RampOptions = { eager: 64, concurrency: 16 };

/** Attempts under way to a fleet beyond `eager` until its first connection is ready: more would only delay that one. */
const FIRST_FEW = 4;

/** How long the first few of a large fleet are tried alone, in milliseconds: then as many as `concurrency` allows. */
const HEAD_START_MS = 100;

/** Entries that may wait beyond twice the endpoints there are. */
const SLACK = 64;

/** The plan of every policy that calls more than one endpoint. */
export class RampPlan implements ConnectPlan {
  /** In the order of the first connections. */
  private queue: EndpointConnection[] = [];
  /** Connected before all of the queue: endpoints that have just joined, or have just lost their connection. */
  private urgent: EndpointConnection[] = [];
  /** Connections made from a partial list that are not among the first `eager` of the full order. */
  private provisional: EndpointConnection[] = [];
  /** How many connections calls have asked for. */
  private target: number;
  private isPart = false;
  /** The head start of the first few is over: one is ready, or they have had their time. */
  private isOpen = false;
  private cancelHeadStart: CancelTimer | undefined;
  private isScheduled = false;
  private stopped = false;
  private readonly isListed = (connection: EndpointConnection) => this.table.has(connection);

  constructor(
    private readonly table: ConnectionTable,
    private readonly ports: BalancerPorts,
    private readonly options: RampOptions,
  ) {
    this.target = options.eager;
  }

  /** How many entries wait. Some may be of endpoints that left the list. */
  get waiting(): number {
    return this.queue.length + this.urgent.length;
  }

  follow(
    joined: readonly EndpointConnection[],
    { isPart }: ListFacts,
    { zone }: Preferences,
  ): void {
    if (joined.length === this.table.size || this.isPart) this.begin(isPart, zone);
    else for (const connection of joined) this.urgent.push(connection);
    this.prune();
  }

  onChange(connection: EndpointConnection): void {
    // It was ready: it comes before those that were never tried.
    if (connection.state === 'idle') this.urgent.push(connection);
    if (connection.state === 'ready') {
      if (!this.isPart) this.isOpen = true;
      this.dropProvisional();
    }
    this.schedule();
  }

  onCall(): void {
    const { count, size } = this.table;
    if (count.idle === 0 || this.target >= size) return;
    this.target++;
    this.schedule();
  }

  /** Starts what is due. */
  run(): void {
    let { connecting } = this.table.count;
    let active = connecting + this.table.count.ready;
    const { concurrency, target } = this.limits();
    while (connecting < concurrency && active < target) {
      const connection = this.urgent.shift() ?? this.queue.shift();
      if (connection === undefined) return;
      if (connection.state !== 'idle' || !this.isListed(connection)) continue;
      connection.connect();
      connecting++;
      active++;
    }
  }

  stop(): void {
    this.stopped = true;
    this.cancelHeadStart?.();
  }

  /** How many attempts may be under way, and how many connections there may be with those that are ready. */
  private limits(): { readonly concurrency: number; readonly target: number } {
    const { concurrency: most } = this.options;
    // One connection will do until the list is whole: every client makes its first ones at the beginning of the same list.
    const few = this.isPart ? 1 : FIRST_FEW;
    const partTarget = this.isOpen ? FIRST_FEW : few;
    return {
      concurrency: this.isOpen ? most : Math.min(few, most),
      target: this.isPart ? partTarget : this.target,
    };
  }

  /** Begins with the order of a new list, in the place of all that waits. */
  private begin(isPart: boolean, zone: Preferences['zone']): void {
    const { table, ports } = this;
    const { eager } = this.options;
    const order = inConnectOrder(table.values(), zone, ports.random);
    this.provisional = this.isPart
      ? order.slice(eager).filter(({ state }) => state !== 'idle')
      : [];
    this.queue = order;
    this.urgent = [];
    this.isPart = isPart;
    this.cancelHeadStart?.();
    if (!isPart && (order.length <= eager || table.count.ready > 0)) this.isOpen = true;
    if (this.isOpen || table.size === 0) return;
    this.cancelHeadStart = ports.clock.setTimer(HEAD_START_MS, () => {
      if (table.count.ready === 0) this.isOpen = true;
      this.run();
    });
  }

  /**
   * Disconnects what a part of the list has led to, once there are others to take the calls: otherwise the endpoints at the beginning of
   * the list would serve more clients than all others do.
   */
  private dropProvisional(): void {
    const { provisional, table } = this;
    if (provisional.length === 0 || table.count.ready < provisional.length + FIRST_FEW) return;
    this.provisional = [];
    this.queue.push(...provisional);
    for (const connection of provisional) table.disconnect(connection);
  }

  /** Removes entries of endpoints that left, once they are the greater part: O(1) on average. */
  private prune(): void {
    if (this.waiting <= 2 * this.table.size + SLACK) return;
    this.queue = this.queue.filter(this.isListed);
    this.urgent = [...new Set(this.urgent.filter(this.isListed))];
  }

  /** Runs later in the same turn: the caller may be in the middle of a change. */
  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      if (!this.stopped) this.run();
    });
  }
}
