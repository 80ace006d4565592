import { finalMix } from './murmur-hash.js';

/**
 * Points per endpoint of average weight, within a factor of √2. More points make weights more exact, fewer make building
 * cheaper.
 */
const POINTS_PER_ENDPOINT = 8;

/** No endpoint has more points than this, so one huge weight cannot make the ring huge. */
const MOST_POINTS = 1_024;

/**
 * Places looked at per key. With 8 points per endpoint the shares of keys have a standard deviation of 6 %, and the
 * busiest endpoint has at most about 10 % above its own (measured with 3 to 200 endpoints; the paper's 5 % for 21 probes
 * is the limit of many endpoints).
 */
const PROBES = 21;

/** 2³² / the golden ratio: steps of it spread best, and the finaliser scatters them. */
const GOLDEN = 0x9e3779b9;

/** 2³²: one turn of the ring. */
const TURN = 0x1_0000_0000;

/**
 * A consistent hash ring with several probes: endpoints are points on a circle, a key belongs to the point nearest
 * after any of its {@link PROBES} hashes.
 *
 * Source: B. Appleton and M. O'Reilly, "Multi-probe consistent hashing" (2015). Against the usual ring (Karger et al.
 * 1997; gRFC A42) it needs a handful of points per endpoint where that needs hundreds for the same evenness. A new endpoint takes only the keys it gets: the same number of points of all
 * others stay where they are. A lookup is O(1): a table says where in the sorted points each probe starts.
 */
export class Ring {
  /** How many points the ring has. */
  readonly size: number;
  private readonly positions: Uint32Array;
  private readonly owners: Int32Array;
  private readonly starts: Int32Array;
  private readonly shift: number;

  /**
   * @param hashes where each endpoint stands, unsigned 32 bits
   * @param weights absolute weights, as many, at least one, all above 0
   */
  constructor(hashes: ArrayLike<number>, weights: Float64Array) {
    const scale = ringScale(weights.reduce((sum, weight) => sum + weight, 0) / weights.length);
    const counts = weights.map((weight) =>
      Math.min(MOST_POINTS, Math.max(1, Math.round(weight * scale))),
    );
    this.size = counts.reduce((sum, count) => sum + count, 0);
    this.positions = new Uint32Array(this.size);
    this.owners = new Int32Array(this.size);
    // At least as many buckets as points: half of them are empty, few hold more than two.
    const bits = Math.min(24, Math.ceil(Math.log2(this.size + 1)));
    this.shift = 32 - bits;
    this.starts = new Int32Array(2 ** bits);
    this.sort(hashes, counts);
  }

  /**
   * The point a key belongs to.
   *
   * @param hash of the key, unsigned 32 bits
   * @returns a place on the ring, from 0 to `size` - 1, for {@link owner}
   */
  locate(hash: number): number {
    const { positions, size } = this;
    let nearest = 0;
    let distance = Infinity;
    for (let probe = 0; probe < PROBES; probe++) {
      const position = finalMix(hash + Math.imul(probe, GOLDEN));
      let point = this.starts[position >>> this.shift]!;
      while (point < size && positions[point]! < position) point++;
      const gap = point < size ? positions[point]! - position : positions[0]! + TURN - position;
      if (gap < distance) {
        distance = gap;
        nearest = point < size ? point : 0;
      }
    }
    return nearest;
  }

  /** The index of the endpoint that owns a point; points past the last begin again. */
  owner(point: number): number {
    return this.owners[point % this.size]!;
  }

  /** Bucket sort, O(points): the points are scattered evenly, and the buckets are needed for lookups anyway. */
  private sort(hashes: ArrayLike<number>, counts: ArrayLike<number>): void {
    const { positions, owners, starts, shift } = this;
    const sizes = new Int32Array(starts.length);
    const unsorted = new Uint32Array(this.size);
    let drawn = 0;
    for (let owner = 0; owner < counts.length; owner++) {
      for (let point = 0; point < counts[owner]!; point++) {
        const position = finalMix(hashes[owner]! + Math.imul(point, GOLDEN));
        unsorted[drawn++] = position;
        sizes[position >>> shift]!++;
      }
    }
    for (let bucket = 1; bucket < starts.length; bucket++) {
      starts[bucket] = starts[bucket - 1]! + sizes[bucket - 1]!;
    }
    sizes.fill(0);
    drawn = 0;
    for (let owner = 0; owner < counts.length; owner++) {
      for (let point = 0; point < counts[owner]!; point++) {
        const position = unsorted[drawn++]!;
        const bucket = position >>> shift;
        const first = starts[bucket]!;
        let place = first + sizes[bucket]!++;
        for (; place > first && positions[place - 1]! > position; place--) {
          positions[place] = positions[place - 1]!;
          owners[place] = owners[place - 1]!;
        }
        positions[place] = position;
        owners[place] = owner;
      }
    }
  }
}

/**
 * Points per unit of absolute weight. A power of two, and of the absolute weight, so that an endpoint that comes or goes
 * changes the points of no other, unless the mean weight crosses √2 times a power of two.
 */
function ringScale(meanWeight: number): number {
  return 2 ** Math.round(Math.log2(POINTS_PER_ENDPOINT / meanWeight));
}
