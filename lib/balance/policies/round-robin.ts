import type { Random } from '../../core/clock.js';
import type { Candidate } from '../candidate.js';
import type { Picker } from '../picker.js';

/**
 * Exact rotation: each candidate once per turn, in the order of the list.
 *
 * Source: gRPC's round_robin (grpc/doc/load-balancing.md), with the random start that keeps many clients from
 * calling the first endpoint first. Different here: the rotation goes on after the endpoint that the previous
 * picker chose last. So many updates in a row do not favour the first endpoint, and an endpoint that joins
 * behind the last chosen one is next.
 */
export class RoundRobin<C extends Candidate> implements Picker<C> {
  private cursor: number;
  /** The candidate that was chosen last, by this picker or by the picker that it replaces. */
  private last: C | undefined;

  /**
   * @param candidates at least one
   * @param random draws where the rotation starts, if it does not go on from `previous`
   * @param previous the picker that this picker replaces
   */
  constructor(
    private readonly candidates: readonly C[],
    random: Random,
    previous?: Picker<C>,
  ) {
    const before = previous instanceof RoundRobin ? (previous as RoundRobin<C>) : undefined;
    const next = before?.nextOf(candidates) ?? -1;
    this.last = before?.last;
    this.cursor = next >= 0 ? next : Math.floor(random() * candidates.length);
  }

  pick(): C {
    const candidate = this.candidates[this.cursor]!;
    this.cursor = this.cursor + 1 < this.candidates.length ? this.cursor + 1 : 0;
    this.last = candidate;
    return candidate;
  }

  /** The place in `candidates` where this rotation goes on; -1 if `candidates` has none of its endpoints. */
  private nextOf(candidates: readonly C[]): number {
    // The usual case, which needs no table: the endpoint that was chosen last, or the next one, is still
    // there.
    const last = this.last === undefined ? -1 : placeOf(candidates, this.last);
    if (last >= 0) return (last + 1) % candidates.length;
    const soon = placeOf(candidates, this.candidates[this.cursor]!);
    if (soon >= 0) return soon;
    const places = new Map(
      candidates.map((candidate, place) => [candidate.endpoint.address, place]),
    );
    for (let step = 0; step < this.candidates.length; step++) {
      const waiting = this.candidates[(this.cursor + step) % this.candidates.length]!;
      const place = places.get(waiting.endpoint.address);
      if (place !== undefined) return place;
    }
    return -1;
  }
}

function placeOf(candidates: readonly Candidate[], wanted: Candidate): number {
  const { address } = wanted.endpoint;
  return candidates.findIndex(({ endpoint }) => endpoint.address === address);
}
