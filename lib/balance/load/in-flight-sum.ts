/**
 * The calls in flight on several endpoints together, open streams included. The loads of these endpoints
 * update it when calls start and end.
 */
export interface InFlightSum {
  inFlight: number;
  /** How many refused calls still counted as in flight when each endpoint was last asked. */
  refused: number;
}

/** A candidate whose calls a sum can count. */
interface Counted {
  readonly load: { countIn(sum: InFlightSum): void };
}

/**
 * Creates a sum that counts the calls in flight of a pool, including the calls that are under way now. O(n)
 * once, no cost per pick.
 *
 * An endpoint's calls count in one sum at a time, the sum that was created last: a new picker over the same
 * endpoints takes them from the picker that it replaces. The sum over the whole balancer is no substitute: it
 * also includes canaries, which have a picker of their own, and removed endpoints that still have calls to
 * finish.
 */
export function countInFlight(members: readonly Counted[]): InFlightSum {
  const sum: InFlightSum = { inFlight: 0, refused: 0 };
  for (const { load } of members) load.countIn(sum);
  return sum;
}
