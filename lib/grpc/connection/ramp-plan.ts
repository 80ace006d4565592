/**
 * Connects to a few endpoints at a time, so that thousands of them neither block the event loop nor delay the
 * first call. It connects to all endpoints of a small fleet; in a large fleet each call adds a connection, so
 * that a client with few calls has few connections.
 */
import type { CancelTimer } from '../../core/clock.js';
import type { ListFacts } from '../list-facts.js';
import type { BalancerPorts } from './connection-settings.js';
import { type ConnectPlan, inConnectOrder, type Preferences } from './connect-plan.js';
import type { ConnectionTable } from './connection-table.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** How many connections a ramp makes by itself, and how many attempts it makes at a time. */
export interface RampOptions {
  /** How many connections are made before any call asks for more. */
  readonly eager: number;
  /** While this many attempts are under way, no other is begun. */
  readonly concurrency: number;
}

/**
 * The default limits: a fleet of up to `eager` endpoints gets all its connections at once; in a larger one
 * each call adds a connection.
 */
export const DEFAULT_RAMP: RampOptions = { eager: 64, concurrency: 16 };

/**
 * How many attempts a fleet larger than `eager` gets at a time until its first connection is ready: more
 * attempts would delay it.
 */
const FIRST_FEW = 4;

/**
 * How long a large fleet gets only `FIRST_FEW` attempts at a time, in milliseconds; after that `concurrency`
 * holds.
 */
const HEAD_START_MS = 100;

/** The queues are pruned when they hold this many entries more than twice the number of endpoints. */
const SLACK = 64;

/** Connects to a few endpoints at a time: the plan of every policy that calls more than one endpoint. */
export class RampPlan implements ConnectPlan {
  /** Connections that wait to be started, in the order of `inConnectOrder`. */
  private queue: EndpointConnection[] = [];
  /**
   * Connections that are started before the queue: endpoints that have just joined or lost their connection.
   */
  private urgent: EndpointConnection[] = [];
  /** Connections made from a partial list that are not among the first `eager` of the full order. */
  private provisional: EndpointConnection[] = [];
  /** How many connections there may be: `eager`, and one more for each call. */
  private target: number;
  private isPart = false;
  /** The head start is over: a connection is ready, or `HEAD_START_MS` have passed. */
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

  /** How many connections wait to be started. Some of their endpoints may have left the list. */
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
    // A lost connection is restored before endpoints that were never tried.
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

  /** Starts waiting connections up to the limits. */
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

  /**
   * `concurrency`: how many attempts may be under way. `target`: how many connections there may be, together
   * with the attempts under way.
   */
  private limits(): { readonly concurrency: number; readonly target: number } {
    const { concurrency: most } = this.options;
    // With a partial list the plan makes one connection: all clients get the same first page, and would all
    // connect to its endpoints.
    const few = this.isPart ? 1 : FIRST_FEW;
    const partTarget = this.isOpen ? FIRST_FEW : few;
    return {
      concurrency: this.isOpen ? most : Math.min(few, most),
      target: this.isPart ? partTarget : this.target,
    };
  }

  /** Replaces both queues by the order of a new list. */
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
   * Once enough other connections can take the calls, drops those that were made from a partial list.
   * Otherwise the endpoints at the beginning of the list would serve more clients than all others.
   */
  private dropProvisional(): void {
    const { provisional, table } = this;
    if (provisional.length === 0 || table.count.ready < provisional.length + FIRST_FEW) return;
    this.provisional = [];
    this.queue.push(...provisional);
    for (const connection of provisional) table.disconnect(connection);
  }

  /**
   * Once most entries of the queues are connections of endpoints that left the list, removes these entries.
   * O(1) on average.
   */
  private prune(): void {
    if (this.waiting <= 2 * this.table.size + SLACK) return;
    this.queue = this.queue.filter(this.isListed);
    this.urgent = [...new Set(this.urgent.filter(this.isListed))];
  }

  /** Calls `run` later in the same turn of the event loop: the caller may be in the middle of a change. */
  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      if (!this.stopped) this.run();
    });
  }
}
