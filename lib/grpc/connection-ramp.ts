/**
 * Decides which endpoints to connect to, and when: a few at a time, so that thousands of endpoints neither block the
 * event loop nor hold up the first call; more as calls come, so that a quiet client of a large fleet stays small.
 */
import type { Random } from '../core/clock.js';
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

/** One connection, and the next only when that fails: `pick_first`. */
export const SINGLE_RAMP: RampOptions = { eager: 1, concurrency: 1 };

/** Entries that may wait beyond twice the endpoints there are. */
const SLACK = 64;

/** The queue of endpoints to connect to. */
export class ConnectionRamp {
  private queue: EndpointConnection[] = [];
  private urgent: EndpointConnection[] = [];
  private target: number;

  constructor(private options: RampOptions) {
    this.target = options.eager;
  }

  /** How many wait, those included that are no longer wanted and were not come across yet. */
  get waiting(): number {
    return this.queue.length + this.urgent.length;
  }

  /** Goes on by other options; what was reached so far stays. */
  configure(options: RampOptions): void {
    this.options = options;
    this.target = Math.max(this.target, options.eager);
  }

  /** Endpoints to connect to when their turn comes, in this order. */
  enqueue(connections: readonly EndpointConnection[]): void {
    this.queue.push(...connections);
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
    while (connecting < this.options.concurrency && active < this.target) {
      const connection = this.urgent.shift() ?? this.queue.shift();
      if (connection === undefined) return;
      if (connection.state !== 'idle' || !isListed(connection)) continue;
      connection.connect();
      connecting++;
      active++;
    }
  }
}

/**
 * The order of the first connections: shuffled, so that clients which start together spread; the own zone first.
 *
 * @param zone the client's own; `undefined`: all zones are alike
 */
export function inRampOrder(
  connections: readonly EndpointConnection[],
  zone: string | undefined,
  random: Random,
): EndpointConnection[] {
  return connections
    .map((connection) => ({
      connection,
      rank: random() + (zone === undefined || connection.zone === zone ? 0 : 1),
    }))
    .toSorted((left, right) => left.rank - right.rank)
    .map(({ connection }) => connection);
}
