import type { EndpointFacts } from './candidate.js';
import { murmurHash } from './murmur-hash.js';

/** Which endpoints of a large fleet this client uses. */
export interface SubsetOptions {
  /** How many, at least 1. A fleet that is no larger is used whole. */
  readonly size: number;
  /** What tells this client from the others, stable while it runs: clients with the same one use the same endpoints. */
  readonly clientId: string;
  /** Endpoints of this zone come first, the others only fill up. Default: all zones are alike. */
  readonly zone?: string;
}

/**
 * The endpoints with the highest hash of (endpoint, client).
 *
 * Source: rendezvous hashing, D. Thaler and C. Ravishankar (1998), as gRFC A68 (random subsetting) uses it. The choice
 * depends on the set of endpoints only, not on their order; an endpoint that comes or goes changes at most one entry.
 *
 * Clients choose independently, so how many use one endpoint is binomial: with C clients, N endpoints and subsets of K
 * the relative standard deviation is √((1 − K/N) / (C × K/N)). One endpoint is within 15 % of even with 99.7 % certainty
 * if C × K/N ≥ 400 × (1 − K/N), and the worst of 100 endpoints if C × K/N ≥ 550 × (1 − K/N).
 *
 * @returns the chosen endpoints, in the order of `endpoints`
 */
export function pickSubset<E extends Pick<EndpointFacts, 'endpoint' | 'zone'>>(
  endpoints: readonly E[],
  options: SubsetOptions,
): readonly E[] {
  if (endpoints.length <= options.size) return endpoints;
  const seed = murmurHash(options.clientId);
  // The best so far, the worst of them last. Few of a long list get in: about K ln(N / K) after the first K.
  const best: Ranked[] = [];
  for (const [place, { endpoint, zone }] of endpoints.entries()) {
    const local = options.zone !== undefined && zone === options.zone ? 1 : 0;
    const ranked = {
      place,
      local,
      score: murmurHash(endpoint.address, seed),
      address: endpoint.address,
    };
    if (best.length === options.size && !ranksBefore(ranked, best.at(-1)!)) continue;
    if (best.length === options.size) best.pop();
    best.splice(placeOf(ranked, best), 0, ranked);
  }
  return best
    .map(({ place }) => place)
    .sort((one, other) => one - other)
    .map((place) => endpoints[place]!);
}

interface Ranked {
  readonly place: number;
  readonly local: number;
  readonly score: number;
  readonly address: string;
}

function ranksBefore(one: Ranked, other: Ranked): boolean {
  if (one.local !== other.local) return one.local > other.local;
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
