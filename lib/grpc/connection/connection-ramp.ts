/**
 * Decides which endpoints to connect to, and when: a few at a time, so that thousands of endpoints neither block the
 * event loop nor hold up the first call; more as calls come, so that a quiet client of a large fleet stays small.
 */
import type { EndpointConnection } from './endpoint-connection.js';

/** How a ramp runs. */
export interface RampOptions {
  /** Connections made without being asked for by calls. */
  readonly eager: number;
  /** Connections in the making at the same time. */
  readonly concurrency: number;
}

/** A fleet up to this size is connected to as a whole; beyond it each call adds one connection. */
export const DEFAULT_RAMP: RampOptions = { eager: 64, concurrency: 16 };

/** Of a fleet beyond `eager`, until the first connection is ready so many are in the making: more would only hold it up. */
const FIRST_FEW = 4;

/** Entries that may wait beyond twice the endpoints there are. */
const SLACK = 64;

/** The queue of endpoints to connect to. */
export class ConnectionRamp {
  private queue: EndpointConnection[] = [];
  private urgent: EndpointConnection[] = [];
  /** Connected to while the list was not whole, and not among those its whole order begins with. */
  private guests: EndpointConnection[] = [];
  private target: number;
  private hasOpened = false;
  private isPart = false;

  constructor(private readonly options: RampOptions) {
    this.target = options.eager;
  }

  /** How many wait, those included that are no longer wanted and were not come across yet. */
  get waiting(): number {
    return this.queue.length + this.urgent.length;
  }

  /** Ends the head start of the first few: one is ready, or they have had their time. */
  open(): void {
    this.hasOpened = true;
  }

  /** Whether as many connections may be in the making as the options say. */
  get isOpen(): boolean {
    return this.hasOpened;
  }

  /**
   * Endpoints to connect to when their turn comes, in this order, and in the place of all that were given before.
   *
   * @param isPart the list is not whole yet: one connection will do until it is, because every client would make its first ones at
   *   the beginning of the same list
   */
  begin(order: readonly EndpointConnection[], isPart: boolean): void {
    const { eager } = this.options;
    this.guests = this.isPart ? order.slice(eager).filter(({ state }) => state !== 'idle') : [];
    this.queue = [...order];
    this.urgent = [];
    this.isPart = isPart;
    if (!isPart && order.length <= eager) this.open();
  }

  /** Whether the order so far is that of a part of the list. */
  get isPartial(): boolean {
    return this.isPart;
  }

  /**
   * The connections that a part of the list has led to, once there are others to take their calls: kept, they would have the
   * endpoints at the beginning of the list serve more clients than all others do. Each is named once.
   *
   * @param ready how many connections are ready
   */
  takeGuests(ready: number): readonly EndpointConnection[] {
    if (this.guests.length === 0 || ready < this.guests.length + FIRST_FEW) return [];
    const { guests } = this;
    this.guests = [];
    this.queue.push(...guests);
    return guests;
  }

  /** An endpoint that is to be connected before all that wait: it has just joined, or has just lost its connection. */
  expedite(connection: EndpointConnection): void {
    this.urgent.push(connection);
  }

  /**
   * Forgets who is not wanted any more, once they are the greater part: O(1) on average.
   *
   * @param size how many endpoints there are
   */
  prune(size: number, isListed: (connection: EndpointConnection) => boolean): void {
    if (this.waiting <= 2 * size + SLACK) return;
    this.queue = this.queue.filter(isListed);
    this.urgent = [...new Set(this.urgent.filter(isListed))];
  }

  /** Calls come: one more connection than so far is worth having. */
  demand(size: number): boolean {
    if (this.target >= size) return false;
    this.target++;
    return true;
  }

  /**
   * Starts what is due.
   *
   * @param connecting how many connections are in the making
   * @param active how many are in the making or ready
   * @param isListed whether an endpoint is still wanted
   */
  run(
    connecting: number,
    active: number,
    isListed: (connection: EndpointConnection) => boolean,
  ): void {
    const { concurrency: most } = this.options;
    const few = this.isPart ? 1 : FIRST_FEW;
    const concurrency = this.hasOpened ? most : Math.min(few, most);
    const target = !this.isPart ? this.target : this.hasOpened ? FIRST_FEW : few;
    while (connecting < concurrency && active < target) {
      const connection = this.urgent.shift() ?? this.queue.shift();
      if (connection === undefined) return;
      if (connection.state !== 'idle' || !isListed(connection)) continue;
      connection.connect();
      connecting++;
      active++;
    }
  }
}
