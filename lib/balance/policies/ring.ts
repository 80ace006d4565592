import { finalMix } from './murmur-hash.js';

/** Points per endpoint, whatever its weight. More make shares more exact, fewer make building cheaper. */
const POINTS = 8;

/**
 * Places looked at per key. With 8 points per endpoint the share of keys of one has a standard deviation of 4 to 6 % of
 * it, with weights of 1 to 10 as with equal ones, and of 8 % where one weighs 40 times the others (measured with 2 to 200
 * endpoints; the paper's 5 % for 21 probes is the limit of many).
 */
const PROBES = 21;

/** 2³² / the golden ratio: steps of it spread best, and the finaliser scatters them. */
const GOLDEN = 0x9e3779b9;

/**
 * A consistent hash ring with several probes and weighted distances: endpoints are points on a circle, a key belongs to
 * the endpoint with the least distance, from any of the key's {@link PROBES} hashes on to a point, per weight.
 *
 * Sources: B. Appleton and M. O'Reilly, "Multi-probe consistent hashing" (2015): a handful of points per endpoint are as
 * even as hundreds on the usual ring (Karger et al. 1997; gRFC A42). C. Schindelhauer and G. Schomaker, "Weighted
 * Distributed Hash Tables" (2005), the linear method: distances to random points are distributed exponentially, and the
 * least of exponential variables, each divided by its weight, is each one's with a probability in proportion to it.
 *
 * A key's owner is the least of numbers of which each depends on one endpoint only. So an endpoint that comes, or whose
 * weight grows, takes the keys it gets and moves none between others, at any weights; weights count relative to each
 * other, on any scale. Points in proportion to weight need a scale, and one that follows the members moves keys of all
 * whenever it changes; one that does not makes rings of any size.
 *
 * A lookup does not depend on how many endpoints there are: a table says where in the sorted points each probe starts. It
 * looks at one point per probe, and with unequal weights at some more: their number grows with the greatest weight in
 * relation to the mean, to 7 times the time of a lookup where one weighs 1,000 times the others.
 */
export class Ring {
  /** How many points the ring has. */
  readonly size: number;
  private readonly positions: Uint32Array;
  private readonly owners: Int32Array;
  private readonly starts: Int32Array;
  private readonly shift: number;
  private readonly mostWeight: number;
  private readonly isEven: boolean;
  /** For each probe of a lookup, its point. Kept between lookups only to be used again. */
  private readonly found = new Int32Array(PROBES);

  /**
   * @param hashes where each endpoint stands, unsigned 32 bits
   * @param weights as many, at least one, all above 0, on any scale
   */
  constructor(
    hashes: ArrayLike<number>,
    private readonly weights: Float64Array,
  ) {
    this.mostWeight = weights.reduce((most, weight) => Math.max(most, weight), 0);
    this.isEven = weights.every((weight) => weight === this.mostWeight);
    this.size = POINTS * weights.length;
    this.positions = new Uint32Array(this.size);
    this.owners = new Int32Array(this.size);
    // At least as many buckets as points: half of them are empty, few hold more than two.
    const bits = Math.min(24, Math.ceil(Math.log2(this.size + 1)));
    this.shift = 32 - bits;
    this.starts = new Int32Array(2 ** bits);
    this.sort(hashes);
  }

  /**
   * The point a key belongs to.
   *
   * @param hash of the key, unsigned 32 bits
   * @returns a place on the ring, from 0 to `size` - 1, for {@link owner}
   */
  locate(hash: number): number {
    const { positions, owners, weights, size, found } = this;
    let nearest = 0;
    let least = Infinity;
    for (let probe = 0; probe < PROBES; probe++) {
      const position = probeAt(hash, probe);
      let point = this.starts[position >>> this.shift]!;
      while (point < size && positions[point]! < position) point++;
      if (point === size) point = 0;
      found[probe] = point;
      const distance = gap(position, positions[point]!) / weights[owners[point]!]!;
      if (distance < least) {
        least = distance;
        nearest = point;
      }
    }
    return this.isEven ? nearest : this.locateBeyond(hash, nearest, least);
  }

  /** The index of the endpoint that owns a point; points past the last begin again. */
  owner(point: number): number {
    return this.owners[point % this.size]!;
  }

  /** The best of the points behind the first ones, which a heavier endpoint may have. */
  private locateBeyond(hash: number, first: number, distanceOfFirst: number): number {
    const { positions, owners, weights, size, found, mostWeight } = this;
    let nearest = first;
    let least = distanceOfFirst;
    for (let probe = 0; probe < PROBES; probe++) {
      const position = probeAt(hash, probe);
      let point = found[probe]!;
      for (let step = 1; step < size; step++) {
        point = point + 1 < size ? point + 1 : 0;
        const length = gap(position, positions[point]!);
        if (length >= least * mostWeight) break;
        const distance = length / weights[owners[point]!]!;
        if (distance < least) {
          least = distance;
          nearest = point;
        }
      }
    }
    return nearest;
  }

  /** Bucket sort, O(points): the points are scattered evenly, and the buckets are needed for lookups anyway. */
  private sort(hashes: ArrayLike<number>): void {
    const { positions, owners, starts, shift, size } = this;
    const sizes = new Int32Array(starts.length);
    const unsorted = new Uint32Array(size);
    for (let drawn = 0; drawn < size; drawn++) {
      const position = probeAt(hashes[Math.floor(drawn / POINTS)]!, drawn % POINTS);
      unsorted[drawn] = position;
      sizes[position >>> shift]!++;
    }
    for (let bucket = 1; bucket < starts.length; bucket++) {
      starts[bucket] = starts[bucket - 1]! + sizes[bucket - 1]!;
    }
    sizes.fill(0);
    for (let drawn = 0; drawn < size; drawn++) {
      const position = unsorted[drawn]!;
      const bucket = position >>> shift;
      const first = starts[bucket]!;
      let place = first + sizes[bucket]!++;
      for (; place > first && positions[place - 1]! > position; place--) {
        positions[place] = positions[place - 1]!;
        owners[place] = owners[place - 1]!;
      }
      positions[place] = position;
      owners[place] = Math.floor(drawn / POINTS);
    }
  }
}

/** The hash of a number of a row: of a probe of a key, or a point of an endpoint. */
function probeAt(hash: number, place: number): number {
  return finalMix(hash + Math.imul(place, GOLDEN));
}

/** How far it is on the circle from one position on to another, less than one turn. */
function gap(from: number, to: number): number {
  return (to - from) >>> 0;
}
