/** What decides which endpoints a channel connects to, and when. */
import type { Random } from '../core/clock.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** One channel's plan. It starts connections itself, and is told of everything else. */
export interface ConnectionPlan {
  /**
   * A list was taken in.
   *
   * @param joined endpoints that are new in it
   * @param isPart it is the beginning of a longer one
   */
  take(joined: readonly EndpointConnection[], isPart: boolean): void;
  /** A connection has changed its state. */
  onChange(connection: EndpointConnection): void;
  /** A call was sent on its way. */
  onCall(): void;
  /** Starts what is due. */
  run(): void;
  stop(): void;
}

/**
 * The order of the first connections: shuffled, so that clients which start together spread; the own zone first.
 *
 * @param zone the client's own; `undefined`: all zones are alike
 */
export function inConnectOrder(
  connections: Iterable<EndpointConnection>,
  zone: string | undefined,
  random: Random,
): EndpointConnection[] {
  // Fisher and Yates: O(n), where sorting by random ranks is not.
  const order = [...connections];
  for (let left = order.length - 1; left > 0; left--) {
    const other = Math.floor(random() * (left + 1));
    [order[left], order[other]] = [order[other]!, order[left]!];
  }
  if (zone === undefined) return order;
  return [
    ...order.filter((connection) => connection.zone === zone),
    ...order.filter((connection) => connection.zone !== zone),
  ];
}
