/** The calls in flight on several endpoints together, open streams included. Kept by their loads as calls start and end. */
export interface InFlightSum {
  inFlight: number;
  /** Refused calls that still count as in flight, as of the last question about each endpoint. */
  refused: number;
}

/** A candidate, whose calls a sum can count. */
interface Counted {
  readonly load: { countIn(sum: InFlightSum): void };
}

/**
 * Counts the calls in flight of a pool from now on, and those that are under way. O(n) once, no cost per pick.
 *
 * An endpoint's calls count for one pool at a time, the one it was counted in last: a new picker over the same endpoints
 * takes them from the one it replaces. The sum over a balancer is no substitute: it includes canaries, which have a
 * picker of their own, and endpoints that have left and still have calls to finish.
 */
export function countInFlight(members: readonly Counted[]): InFlightSum {
  const sum: InFlightSum = { inFlight: 0, refused: 0 };
  for (const { load } of members) load.countIn(sum);
  return sum;
}
