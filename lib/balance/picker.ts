import type { Random } from '../core/clock.js';
import type { Candidate } from './candidate.js';

/** What a policy may know about a call. The caller may reuse one object for all calls. */
export interface PickRequest {
  /** The first value of a metadata key in lower case; `undefined` if the call has no such key. */
  header(name: string): string | undefined;
  /**
   * The random number of the call, in [0, 1): drawn when it is first needed, and the same for every attempt
   * of the call. Without this method every pick draws a number of its own.
   */
  lot?(random: Random): number;
}

/**
 * Chooses an endpoint for each call. A picker changes only its cursor and the counters of its candidates: a
 * change of the list or the weights makes a new picker. The cost of a pick does not depend on the number of
 * endpoints, and a pick allocates nothing.
 */
export interface Picker<C extends Candidate> {
  /**
   * @param request the call
   * @param nowMs monotonic milliseconds; 0 for policies that do not use load (rotations, `random`,
   *   `pick_first`)
   */
  pick(request: PickRequest, nowMs: number): C;
  /**
   * An endpoint for a further attempt of a call, after {@link pick} chose only endpoints that already had the
   * call. It may look at all candidates. A policy that chooses at random or in turn needs no such method: its
   * `pick` chooses another endpoint soon.
   *
   * @param isFree whether the call may go to a candidate
   * @returns `undefined` if the call may go to no candidate
   */
  pickOther?(request: PickRequest, nowMs: number, isFree: (candidate: C) => boolean): C | undefined;
}
