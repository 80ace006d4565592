import type { EndpointFacts } from '../candidate.js';
import { finalMix, murmurHash } from '../policies/murmur-hash.js';

/** Which endpoints of a large fleet this client uses. */
export interface SubsetOptions {
  /** How many endpoints the client uses, at least 1. A fleet that is not larger is used whole. */
  readonly size: number;
  /** The identity of this client, stable while it runs: equal identities use the same endpoints. */
  readonly clientId: string;
  /**
   * The client's own zone. Its share of the subset is its share of the fleet. Default: zones do not matter.
   */
  readonly zone?: string;
}

/**
 * Makes a second hash of the client's identity, which rounds the part of the own zone up or down; the first
 * hash ranks the endpoints. The value is 2³² / the golden ratio; any other bits would do, too.
 */
const ROUNDING_SALT = 0x9e3779b9;

/**
 * The endpoints with the highest hash of (endpoint, client); those of the own zone and the others are ranked
 * apart.
 *
 * Source: rendezvous hashing, D. Thaler and C. Ravishankar (1998), as gRFC A68 (random subsetting) uses it.
 * The choice depends on the set of endpoints only, not on their order; an endpoint that comes or goes changes
 * at most one entry.
 *
 * With a zone the subset is the fleet on a smaller scale: of l local endpoints among N it has K × l / N. That
 * is rounded up or down by the client's hash, so that it is exact on average over clients; from size 2 on, at
 * least one endpoint of another zone is in the subset. Locality then reads from the subset what it would read
 * from the whole fleet, and calls can leave a zone that is down. A subset of local endpoints only would leave
 * calls nowhere to go, and any fixed part of local endpoints would make a small zone look large enough for
 * its clients. A choice without regard to zones would be exact on average too, but would leave one client in
 * a hundred without its own zone (10 of 60 in three zones). One endpoint more moves l and N by at most one,
 * hence K × l / N by less than one and towards the zone of the new endpoint: the part of either zone changes
 * by at most one, and with it the subset.
 *
 * Clients choose independently, so how many clients use one endpoint is binomial: with C clients, N endpoints
 * and subsets of K the relative standard deviation is √((1 − K/N) / (C × K/N)). The load of one endpoint is
 * within 15 % of the mean with 99.7 % certainty if C × K/N ≥ 400 × (1 − K/N), and that of the worst of 100
 * endpoints if C × K/N ≥ 550 × (1 − K/N). With locality only the clients of its zone call an endpoint: C is
 * their number then.
 *
 * O(n), and no address is hashed that was hashed for this client before.
 *
 * @returns the chosen endpoints, in the order of `endpoints`
 */
export function pickSubset<E extends Pick<EndpointFacts, 'endpoint' | 'zone' | 'seededHash'>>(
  endpoints: readonly E[],
  options: SubsetOptions,
): readonly E[] {
  const { size, zone } = options;
  if (endpoints.length <= size) return endpoints;
  const seed = murmurHash(options.clientId);
  const isOwn = ({ zone: other }: E): boolean => zone !== undefined && other === zone;
  const locals =
    zone === undefined ? 0 : endpoints.reduce((count, one) => count + (isOwn(one) ? 1 : 0), 0);
  const part = ownPart(locals, endpoints.length, size, seed);
  const own = new Ranking(part);
  const others = new Ranking(size - part);
  let place = 0;
  for (const one of endpoints) {
    const ranking = isOwn(one) ? own : others;
    const score = one.seededHash(seed);
    // Most endpoints of a long list are rejected here, without an allocation.
    if (ranking.mayTake(score)) ranking.add({ place, score, address: one.endpoint.address });
    place++;
  }
  return [...own.places(), ...others.places()]
    .sort((one, other) => one - other)
    .map((place) => endpoints[place]!);
}

/** How many of `size` entries are for the own zone, which has `locals` of `all` endpoints. */
function ownPart(locals: number, all: number, size: number, seed: number): number {
  if (locals === all) return size;
  const rounding = finalMix(seed ^ ROUNDING_SALT) / 0x1_0000_0000;
  return Math.min(Math.floor((size * locals) / all + rounding), Math.max(1, size - 1));
}

interface Ranked {
  readonly place: number;
  readonly score: number;
  readonly address: string;
}

/**
 * The best of the added endpoints, the worst of them last. Of a long list only about K ln(N / K) endpoints
 * enter after the first K.
 */
class Ranking {
  private readonly best: Ranked[] = [];

  constructor(private readonly size: number) {}

  /** Whether a score is among the best, or equal to the worst of them. */
  mayTake(score: number): boolean {
    const { best, size } = this;
    return best.length < size || (size > 0 && score >= best[size - 1]!.score);
  }

  add(ranked: Ranked): void {
    const { best, size } = this;
    if (best.length === size && (size === 0 || !ranksBefore(ranked, best[size - 1]!))) return;
    if (best.length === size) best.pop();
    best.splice(placeOf(ranked, best), 0, ranked);
  }

  places(): number[] {
    return this.best.map(({ place }) => place);
  }
}

function ranksBefore(one: Ranked, other: Ranked): boolean {
  if (one.score !== other.score) return one.score > other.score;
  return one.address < other.address;
}

function placeOf(ranked: Ranked, best: readonly Ranked[]): number {
  let low = 0;
  let high = best.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranksBefore(ranked, best[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
