/** What decides which endpoints a channel connects to, and when. */
import type { Random } from '../../core/clock.js';
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
 * Of the own zone so many come before each of the others': an outage of the zone is got out of with the first connections, and not
 * once all of a thousand endpoints have timed out.
 */
const OWN_BEFORE_OTHER = 7;

/**
 * The order of the first connections: shuffled, so that clients which start together spread; the own zone first, as a rule.
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
