import type { Random } from '../core/clock.js';
import type { Candidate } from './candidate.js';

/** What a policy may know about a call. The caller may reuse one object for all calls. */
export interface PickRequest {
  /** The first value of a metadata key, lower case; `undefined` where there is none. */
  header(name: string): string | undefined;
  /**
   * The call's lot, in [0, 1): drawn when it is first asked for, and the same for each further attempt of the call. Where there is
   * none every pick draws anew.
   */
  lot?(random: Random): number;
}

/**
 * Chooses an endpoint for each call. Frozen but for its cursor and its candidates' counters: whatever changes the list
 * or the weights makes a new one. Picking neither allocates nor depends on the number of endpoints.
 */
export interface Picker<C extends Candidate> {
  /**
   * @param request the call
   * @param nowMs monotonic milliseconds; 0 for policies that are not measured (rotations, `random`, `pick_first`)
   */
  pick(request: PickRequest, nowMs: number): C;
  /**
   * An endpoint for a further attempt of a call, where {@link pick} names only those that the call had already. May go through all
   * candidates. For policies that repeat themselves; one without it chooses anew by chance or in turn.
   *
   * @param isFree whether the call may go there
   * @returns `undefined` where it may go to none
   */
  pickOther?(request: PickRequest, nowMs: number, isFree: (candidate: C) => boolean): C | undefined;
}
