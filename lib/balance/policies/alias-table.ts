import { areEqual } from '../pool.js';

/**
 * Draws a place with a probability in proportion to its weight, in O(1) and with one random number.
 *
 * Source: M. D. Vose, "A Linear Algorithm For Generating Random Numbers With a Given Distribution" (1991).
 */
export class AliasTable {
  private readonly size: number;
  private readonly thresholds: Float64Array | null;
  private readonly aliases: Int32Array;

  /** @param weights relative weights with the mean 1 (`relativeWeights`), at least one */
  constructor(weights: Float64Array) {
    this.size = weights.length;
    this.aliases = new Int32Array(areEqual(weights) ? 0 : this.size);
    this.thresholds = this.aliases.length === 0 ? null : this.fill(Float64Array.from(weights));
  }

  /** @param random a random number in [0, 1) */
  draw(random: number): number {
    const scaled = random * this.size;
    const place = Math.floor(scaled);
    if (this.thresholds === null || scaled - place < this.thresholds[place]!) return place;
    return this.aliases[place]!;
  }

  /**
   * Fills the columns, each of height 1: below is the weight of the column's own place, and above it, up to
   * height 1, weight that another place has beyond 1.
   */
  private fill(thresholds: Float64Array): Float64Array {
    const small: number[] = [];
    const large: number[] = [];
    thresholds.forEach((weight, place) => (weight < 1 ? small : large).push(place));
    while (small.length > 0 && large.length > 0) {
      const poor = small.pop()!;
      const rich = large.at(-1)!;
      this.aliases[poor] = rich;
      thresholds[rich] = thresholds[rich]! - (1 - thresholds[poor]!);
      if (thresholds[rich] < 1) small.push(large.pop()!);
    }
    // The places that remain have height 1, except for rounding; a height above 1 needs no correction.
    for (const place of small) thresholds[place] = 1;
    return thresholds;
  }
}
