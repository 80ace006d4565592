/** A plan decides which endpoints a channel connects to, and when. */
import type { CanaryOptions } from '../../balance/modifiers/routing.js';
import type { Random } from '../../core/clock.js';
import type { ListFacts } from '../list-facts.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** Which endpoints a client prefers. */
export interface Preferences {
  /** The client's own zone; `undefined`: all zones are alike. */
  readonly zone: string | undefined;
  /** Canaries get only the calls set apart for them; `undefined`: there are no canaries. */
  readonly canary: CanaryOptions | undefined;
}

/**
 * One channel's plan. The plan starts connections itself; the balancer reports lists, states and calls to it.
 */
export interface ConnectPlan {
  /**
   * Called when the table of connections has taken in a new list.
   *
   * @param joined connections of endpoints that are new in the list
   */
  follow(joined: readonly EndpointConnection[], list: ListFacts, preferences: Preferences): void;
  /** Called when a connection has changed its state. */
  onChange(connection: EndpointConnection): void;
  /** Called when a picker has sent a call to a connection. */
  onCall(): void;
  /** Starts the connections that are due. */
  run(): void;
  stop(): void;
}

/**
 * How many endpoints of the own zone come before each endpoint of another zone. If the own zone is down, a
 * client then escapes it within its first connections, and not after a thousand endpoints have timed out.
 */
const OWN_BEFORE_OTHER = 7;

/**
 * The order of the first connections: shuffled, so that clients that start together choose different
 * endpoints; most endpoints of the own zone come first.
 */
export function inConnectOrder(
  connections: Iterable<EndpointConnection>,
  zone: Preferences['zone'],
  random: Random,
): EndpointConnection[] {
  // Fisher–Yates shuffle: O(n), unlike sorting by random ranks.
  const order = [...connections];
  for (let left = order.length - 1; left > 0; left--) {
    const other = Math.floor(random() * (left + 1));
    [order[left], order[other]] = [order[other]!, order[left]!];
  }
  if (zone === undefined) return order;
  const others = order.filter((connection) => connection.zone !== zone);
  const mixed: EndpointConnection[] = [];
  let next = 0;
  for (const own of order) {
    if (own.zone !== zone) continue;
    mixed.push(own);
    const other = others[next];
    if (mixed.length % (OWN_BEFORE_OTHER + 1) !== OWN_BEFORE_OTHER || other === undefined) continue;
    mixed.push(other);
    next++;
  }
  return [...mixed, ...others.slice(next)];
}
