import type { Random } from '../core/clock.js';
import type { Candidate } from './candidate.js';
import type { Picker } from './picker.js';

/**
 * Exact rotation: each candidate once per turn, in the order of the list.
 *
 * Source: gRPC's round_robin (grpc/doc/load-balancing.md), with the random start that keeps many clients from calling
 * the first endpoint first. Different here: the rotation goes on where the previous picker stood, so a burst of updates
 * does not favour whoever comes first.
 */
export class RoundRobin<C extends Candidate> implements Picker<C> {
  private cursor: number;

  /**
   * @param candidates at least one
   * @param random where the rotation starts, if it does not go on
   * @param previous the picker this one replaces
   */
  constructor(
    private readonly candidates: readonly C[],
    random: Random,
    previous?: Picker<C>,
  ) {
    const next =
      previous instanceof RoundRobin ? (previous as RoundRobin<C>).nextOf(candidates) : -1;
    this.cursor = next >= 0 ? next : Math.floor(random() * candidates.length);
  }

  pick(): C {
    const candidate = this.candidates[this.cursor]!;
    this.cursor = this.cursor + 1 < this.candidates.length ? this.cursor + 1 : 0;
    return candidate;
  }

  /** The place in `candidates` of the first endpoint still to come in this rotation that is there; -1 if none is. */
  private nextOf(candidates: readonly C[]): number {
    const next = this.candidates[this.cursor]!.endpoint.address;
    // Nearly always: then without a table.
    const soon = candidates.findIndex(({ endpoint }) => endpoint.address === next);
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
