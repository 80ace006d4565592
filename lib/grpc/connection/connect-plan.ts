/** What decides which endpoints a channel connects to, and when. */
import type { CanaryOptions } from '../../balance/modifiers/routing.js';
import type { Random } from '../../core/clock.js';
import type { ListFacts } from '../list-facts.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** Which endpoints a client prefers. */
export interface Preferences {
  /** The client's own zone; `undefined`: all zones are alike. */
  readonly zone: string | undefined;
  /** Endpoints that some calls are set apart for; `undefined`: all endpoints take all calls. */
  readonly canary: CanaryOptions | undefined;
}

/** One channel's plan. It starts connections itself; the balancer reports everything else to it. */
export interface ConnectPlan {
  /**
   * The table of connections follows a new list.
   *
   * @param joined endpoints that are new in the list
   */
  follow(joined: readonly EndpointConnection[], list: ListFacts, preferences: Preferences): void;
  /** A connection has changed its state. */
  onChange(connection: EndpointConnection): void;
  /** A picker has sent a call to a connection. */
  onCall(): void;
  /** Starts what is due. */
  run(): void;
  stop(): void;
}

/**
 * After so many endpoints of the own zone comes one of another, so that a client escapes an outage of its zone within its first
 * connections, and not once all of a thousand endpoints have timed out.
 */
const OWN_BEFORE_OTHER = 7;

/** The order of the first connections: shuffled, so that clients which start together spread; the own zone first, as a rule. */
export function inConnectOrder(
  connections: Iterable<EndpointConnection>,
  zone: Preferences['zone'],
  random: Random,
): EndpointConnection[] {
  // Fisher and Yates: O(n), where sorting by random ranks is not.
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
