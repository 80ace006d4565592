import type { Random } from '../../core/clock.js';
import type { Candidate } from '../candidate.js';
import { countInFlight, type InFlightSum } from '../load/in-flight-sum.js';
import { finalMix, murmurHash } from './murmur-hash.js';
import type { Picker, PickRequest } from '../picker.js';
import type { PolicyDefinition } from '../policy-definition.js';
import { relativeWeights, type Pool } from '../pool.js';
import { Ring } from './ring.js';

/** How calls with the same key reach the same endpoint. */
export interface ConsistentHashOptions {
  /** The key of a call; `undefined` for a call that may go to any endpoint. */
  readonly hashKey: (request: PickRequest) => string | undefined;
  /**
   * How many times the mean load one endpoint may have before its keys go to another endpoint, above 1. At
   * the default, a key passes at most a few endpoints (paper: O(1 / ε²)). `Infinity` turns the bound off.
   */
  readonly loadFactor: number;
  /**
   * How many calls in flight each endpoint may always have, 0 or more: with few calls in flight the mean is
   * below one, and the bound alone would scatter every second call of a key.
   */
  readonly freeInFlight: number;
}

/** Calls with the same key go to the same endpoint, with bounded load. */
export const consistentHash = {
  name: 'consistent_hash',
  usesWeight: true,
  usesLoad: true,
  // On a part of the list a key would have another owner than on the whole list.
  needsWholeList: true,
  connects: 'all',
  options: {
    /**
     * `consistent_hash`, required: the metadata key whose value is the key of a call (`a-z`, `0-9`, `_`, `-`
     * and `.`, neither `grpc-…` nor `…-bin`), or a function of the request message. Calls without a key may
     * go to any endpoint. A function applies only to calls with one request message.
     */
    hashKey: { kind: 'hashKey' },
    /** `consistent_hash`: how many times the mean load one endpoint may have, above 1. Default 1.25. */
    loadFactor: {
      kind: 'number',
      minimum: 1.001,
      maximum: Infinity,
      publishedMaximum: 1_000_000,
      default: 1.25,
    },
    /** `consistent_hash`: how many calls in flight each endpoint may always have, 0 or more. Default 4. */
    freeInFlight: { kind: 'integer', minimum: 0, maximum: 1_000_000, default: 4 },
  },
  createPicker: (pool, options, { random }) => new ConsistentHash(pool, options, random),
} as const satisfies PolicyDefinition<ConsistentHashOptions>;

/** 2³²: how many different hashes there are. */
const TURN = 0x1_0000_0000;

/**
 * How many hashes each key has. While the endpoint of one hash is full, the call tries the endpoint of the
 * next hash.
 */
const JUMPS = 8;

/**
 * How many random places a call tries when all endpoints of its key are full. At the default load factor at
 * most four fifths of a pool by weight are full, so 1 in 1,000 of these calls finds no room.
 */
const TRIES = 32;

/**
 * Consistent hashing with bounded load: a call goes to the endpoint that owns its key on the {@link Ring},
 * unless that endpoint has more than `loadFactor` times its fair share of the calls in flight; then to the
 * owner of the key's next hash. A key that has filled all of its endpoints goes to any endpoint: it has no
 * affinity by then, and a walk through all full endpoints would take time in proportion to their number.
 *
 * Sources: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018), also
 * HAProxy's `hash-balance-factor`; the jumps are of J. Chen, B. Coleman, A. Shrivastava, "Revisiting
 * Consistent Hashing with Bounded Loads" (2021): if all calls of a full endpoint walk on to the same
 * neighbour, that neighbour is the next to be full. A jump also reaches endpoints in proportion to their
 * weights; a walk to the next point of the ring does not. As in gRFC A42, a call without a key goes to a
 * random place.
 *
 * Under slow start an endpoint that has just joined gets its keys over the window: as its weight grows
 * relative to the others, the keys move to it one by one, each once and straight from its old owner, and its
 * bound grows with them.
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
   * @param random draws the place of calls without a key, and of calls whose key has filled its endpoints
   */
  constructor(
    pool: Pool<C>,
    private readonly options: ConsistentHashOptions,
    private readonly random: Random,
  ) {
    this.candidates = pool.candidates;
    this.weights = relativeWeights(pool.weights);
    this.total = countInFlight(pool.candidates);
    this.loadFactor = options.loadFactor;
    this.freeInFlight = options.freeInFlight;
    const hashes = pool.candidates.map(({ hash }) => hash);
    this.ring = new Ring(hashes, pool.weights);
  }

  pick(request: PickRequest, nowMs: number): C {
    const hash = this.hashOf(request);
    const fairShare = this.fairShare();
    for (let jump = 0; jump < JUMPS + TRIES; jump++) {
      const point = this.ring.locate(this.hashAt(hash, jump));
      const owner = this.ring.owner(point);
      if (this.hasRoom(owner, fairShare, nowMs)) return this.candidates[owner]!;
    }
    return this.walk(hash, fairShare, nowMs);
  }

  /**
   * Tries the owners of the key's next hashes, then the ring in order. An endpoint with room comes before a
   * full one.
   */
  pickOther(request: PickRequest, nowMs: number, isFree: (candidate: C) => boolean): C | undefined {
    const hash = this.hashOf(request);
    const home = this.ring.locate(hash);
    const fairShare = this.fairShare();
    let full: C | undefined;
    for (let turn = 1; turn < JUMPS + this.ring.size; turn++) {
      const isJump = turn < JUMPS;
      const point = isJump ? this.ring.locate(this.hashAt(hash, turn)) : home + turn - JUMPS;
      const owner = this.ring.owner(point);
      const candidate = this.candidates[owner]!;
      if (!isFree(candidate)) continue;
      if (this.hasRoom(owner, fairShare, nowMs)) return candidate;
      full ??= candidate;
    }
    return full;
  }

  private hashOf(request: PickRequest): number {
    const key = this.options.hashKey(request);
    return key === undefined ? finalMix(this.random() * TURN) : murmurHash(key);
  }

  /** How many calls in flight fill an endpoint of average weight; its further calls go to other endpoints. */
  private fairShare(): number {
    const { inFlight, refused } = this.total;
    return (this.loadFactor * (inFlight + refused + 1)) / this.candidates.length;
  }

  /** The hash at which a call looks for its next endpoint, after `jump` endpoints that were full. */
  private hashAt(hash: number, jump: number): number {
    if (jump === 0) return hash;
    return finalMix(jump < JUMPS ? hash ^ jump : this.random() * TURN);
  }

  /** The next endpoint on the ring that has room: the last resort in a pool that is nearly full. */
  private walk(hash: number, fairShare: number, nowMs: number): C {
    const home = this.ring.locate(hash);
    for (let step = 0; step < this.ring.size; step++) {
      const owner = this.ring.owner(home + step);
      if (this.hasRoom(owner, fairShare, nowMs)) return this.candidates[owner]!;
    }
    return this.candidates[this.ring.owner(home)]!;
  }

  private hasRoom(owner: number, fairShare: number, nowMs: number): boolean {
    const room = Math.max(this.freeInFlight, Math.ceil(fairShare * this.weights[owner]!));
    const { load } = this.candidates[owner]!;
    return load.inFlight + load.refusedCalls(nowMs) < room;
  }
}
