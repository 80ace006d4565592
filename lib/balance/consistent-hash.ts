import type { Random } from '../core/clock.js';
import type { Candidate } from './candidate.js';
import { countInFlight, type InFlightSum } from './in-flight-sum.js';
import { finalMix, murmurHash } from './murmur-hash.js';
import type { Picker, PickRequest } from './picker.js';
import { relativeWeights, type Pool } from './pool.js';
import { Ring } from './ring.js';

/** How calls with the same key come to the same endpoint. */
export interface ConsistentHashOptions {
  /** The key of a call; `undefined` for a call that may go anywhere. */
  readonly keyOf: (request: PickRequest) => string | undefined;
  /**
   * How many times the mean load one endpoint may have before its keys go on to the next one, above 1. Default 1.25:
   * a key then passes at most a few endpoints (paper: O(1 / ε²)). `Infinity` turns the bound off.
   */
  readonly loadFactor?: number;
  /**
   * Calls in flight an endpoint may always have, 0 or more. Default 4: with few calls in flight the mean is below one,
   * and the bound alone would scatter every second call of a key.
   */
  readonly freeInFlight?: number;
}

/** Default of {@link ConsistentHashOptions.loadFactor}. */
export const DEFAULT_LOAD_FACTOR = 1.25;

/** Default of {@link ConsistentHashOptions.freeInFlight}. */
export const DEFAULT_FREE_IN_FLIGHT = 4;

/** Hashes a key tries before it walks the ring. Of as many as four fifths of full endpoints one in six calls walks. */
const JUMPS = 8;

/**
 * Consistent hashing with bounded load: a call goes to the endpoint its key belongs to on the {@link Ring}, unless that
 * has more than `loadFactor` times its fair share of the calls in flight; then to where the next hash of its key belongs.
 * If even that finds no room, to the next point of the ring that has it.
 *
 * Sources: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018), also HAProxy's
 * `hash-balance-factor`; the jumps are of J. Chen, B. Coleman, A. Shrivastava, "Revisiting Consistent Hashing with
 * Bounded Loads" (2021): where a full endpoint's calls all walk on to the same neighbour, that is the next to be full.
 * They also go by weight, which the points of the ring do not. As gRFC A42 does, a call without a key goes to a random
 * place.
 *
 * Under slow start an endpoint that has just joined gets its keys over the window: as its weight grows relative to the
 * others they come to it one by one, each once and straight from where it was, and its bound grows with them.
 */
export class ConsistentHash<C extends Candidate> implements Picker<C> {
  private readonly candidates: readonly C[];
  private readonly weights: Float64Array;
  private readonly total: InFlightSum;
  private readonly ring: Ring;
  private readonly loadFactor: number;
  private readonly freeInFlight: number;

  /**
   * @param pool the candidates and their weights
   * @param options see {@link ConsistentHashOptions}
   * @param random the place of calls without a key
   */
  constructor(
    pool: Pool<C>,
    private readonly options: ConsistentHashOptions,
    private readonly random: Random,
  ) {
    this.candidates = pool.candidates;
    this.weights = relativeWeights(pool.weights);
    this.total = countInFlight(pool.candidates);
    this.loadFactor = options.loadFactor ?? DEFAULT_LOAD_FACTOR;
    this.freeInFlight = options.freeInFlight ?? DEFAULT_FREE_IN_FLIGHT;
    const hashes = pool.candidates.map(({ hash }) => hash);
    this.ring = new Ring(hashes, pool.weights);
  }

  pick(request: PickRequest): C {
    const key = this.options.keyOf(request);
    const hash = key === undefined ? finalMix(this.random() * 0x1_0000_0000) : murmurHash(key);
    const fairShare = (this.loadFactor * (this.total.inFlight + 1)) / this.candidates.length;
    const home = this.ring.locate(hash);
    let point = home;
    for (let jump = 1; jump <= JUMPS; jump++) {
      const owner = this.ring.owner(point);
      if (this.hasRoom(owner, fairShare)) return this.candidates[owner]!;
      point = this.ring.locate(finalMix(hash ^ jump));
    }
    for (let step = 0; step < this.ring.size; step++) {
      const owner = this.ring.owner(point + step);
      if (this.hasRoom(owner, fairShare)) return this.candidates[owner]!;
    }
    return this.candidates[this.ring.owner(home)]!;
  }

  /** @param fairShare how many calls an endpoint of average weight may have in flight */
  private hasRoom(owner: number, fairShare: number): boolean {
    const room = Math.max(this.freeInFlight, Math.ceil(fairShare * this.weights[owner]!));
    return this.candidates[owner]!.load.inFlight < room;
  }
}
