import { finalMix } from './murmur-hash.js';

/** Points per endpoint, whatever its weight. More points make shares more exact, and building slower. */
const POINTS = 8;

/**
 * How many places of the ring are looked at per key. With 8 points per endpoint, the share of keys of one
 * endpoint has a standard deviation of 4 to 6 % of that share, with weights of 1 to 10 as with equal weights,
 * and of 8 % if one endpoint weighs 40 times the others (measured with 2 to 200 endpoints; the paper's 5 %
 * for 21 probes is the limit for many).
 */
const PROBES = 21;

/**
 * 2³² / the golden ratio: multiples of this number spread most evenly over 32 bits, and `finalMix` then
 * scatters them.
 */
const GOLDEN = 0x9e3779b9;

/**
 * A consistent hash ring with several probes and weighted distances. Endpoints are points on a circle. A key
 * has {@link PROBES} hashes. The distance of an endpoint is the way along the circle from one of these hashes
 * forward to a point of the endpoint, divided by the endpoint's weight. The key belongs to the endpoint with
 * the least distance.
 *
 * Sources: B. Appleton and M. O'Reilly, "Multi-probe consistent hashing" (2015): a handful of points per
 * endpoint are as even as hundreds on the usual ring (Karger et al. 1997; gRFC A42). C. Schindelhauer and G.
 * Schomaker, "Weighted Distributed Hash Tables" (2005), the linear method: distances to random points are
 * distributed exponentially; if exponential variables are each divided by a weight, each is the least with a
 * probability in proportion to its weight.
 *
 * The least distance decides which endpoint owns a key, and the distance of each endpoint depends on no other
 * endpoint. So an endpoint that comes, or whose weight grows, takes the keys that it gets and moves no key
 * between other endpoints, at any weights; weights count relative to each other, on any scale. A ring with
 * points in proportion to weight needs a scale: a scale that follows the members moves keys of all endpoints
 * whenever it changes, and a fixed scale makes rings of any size.
 *
 * The time of a lookup does not depend on the number of endpoints: a table says where in the sorted points
 * each probe starts. A lookup reads one point per probe, and with unequal weights some more: their number
 * grows with the greatest weight in relation to the mean, to 7 times the time of a lookup if one endpoint
 * weighs 1,000 times the others.
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
  /** The point of each probe of a lookup. The array is kept between lookups only to save its allocation. */
  private readonly found = new Int32Array(PROBES);

  /**
   * @param hashes the place of each endpoint on the ring, unsigned 32 bits
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
    // At least as many buckets as points: half of them are empty, few hold more than two points.
    const bits = Math.min(24, Math.ceil(Math.log2(this.size + 1)));
    this.shift = 32 - bits;
    this.starts = new Int32Array(2 ** bits);
    this.sort(hashes);
  }

  /**
   * The point to which a key belongs.
   *
   * @param hash the hash of the key, unsigned 32 bits
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

  /** The index of the endpoint that owns a point. The ring is round: point `size` is point 0 again. */
  owner(point: number): number {
    return this.owners[point % this.size]!;
  }

  /**
   * The point with the least distance divided by weight, also among the points behind the first point of each
   * probe: a point of a heavier endpoint may lie farther away and still win.
   */
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

  /** Sorts the points by buckets, O(points): they are scattered evenly, and lookups need the buckets. */
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

/** The hash of probe number `place` of a key, or of point number `place` of an endpoint. */
function probeAt(hash: number, place: number): number {
  return finalMix(hash + Math.imul(place, GOLDEN));
}

/** The distance on the circle from one position forward to another, less than one turn. */
function gap(from: number, to: number): number {
  return (to - from) >>> 0;
}
