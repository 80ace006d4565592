import type { Random } from '../../core/clock.js';
import type { Candidate } from '../candidate.js';
import type { Picker } from '../picker.js';
import { relativeWeights, type Pool } from '../pool.js';

/**
 * Smooth weighted rotation: each candidate is chosen at even intervals of 1 / weight.
 *
 * Source: earliest deadline first over strides, Waldspurger and Weihl, "Stride Scheduling" (1995); Envoy's
 * and grpc-go's `edf` schedulers are the same. gRFC A58's static stride scheduler picks in O(1), but only
 * because it clips weights at ten times their mean; this schedule is exact for every weight and picks in
 * O(log n) on two flat arrays. A random phase keeps clients from moving in step. After m picks each candidate
 * has had m × its share, within 2.
 *
 * Changed weights make a new schedule, which takes over how far each candidate was on the way to its turn
 * (Waldspurger and Weihl, section 3.2), so that frequent updates distort nothing.
 */
export class WeightedSchedule<C extends Candidate> implements Picker<C> {
  private readonly candidates: readonly C[];
  private readonly strides: Float64Array;
  private readonly deadlines: Float64Array;
  /** Binary heap of places in `candidates`, the earliest deadline on top. */
  private readonly heap: Int32Array;
  private virtualTime = 0;

  /**
   * @param pool the candidates and their weights
   * @param random draws the phases of candidates that are new
   * @param previous the picker that this picker replaces
   */
  constructor(pool: Pool<C>, random: Random, previous?: Picker<C>) {
    const phases =
      previous instanceof WeightedSchedule ? (previous as WeightedSchedule<C>).phases() : undefined;
    const size = pool.candidates.length;
    this.candidates = pool.candidates;
    this.strides = relativeWeights(pool.weights).map((weight) => 1 / weight);
    this.deadlines = this.strides.map(
      (stride, place) =>
        stride * (phases?.get(this.candidates[place]!.endpoint.address) ?? random()),
    );
    this.heap = Int32Array.from({ length: size }, (_, place) => place);
    for (let at = (size >> 1) - 1; at >= 0; at--) this.sink(at, this.heap[at]!);
  }

  pick(): C {
    const place = this.heap[0]!;
    this.virtualTime = this.deadlines[place]!;
    this.deadlines[place] = this.virtualTime + this.strides[place]!;
    this.sink(0, place);
    return this.candidates[place]!;
  }

  /** The share of its stride that each candidate still has to wait, in [0, 1], by address. */
  private phases(): Map<string, number> {
    return new Map(
      this.candidates.map((candidate, place) => [
        candidate.endpoint.address,
        (this.deadlines[place]! - this.virtualTime) / this.strides[place]!,
      ]),
    );
  }

  /** Puts `place` into the heap at `from` or below, at the level of its deadline. */
  private sink(from: number, place: number): void {
    const { heap, deadlines } = this;
    const deadline = deadlines[place]!;
    let at = from;
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && deadlines[heap[child + 1]!]! < deadlines[heap[child]!]!)
        child++;
      if (deadlines[heap[child]!]! >= deadline) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = place;
  }
}
