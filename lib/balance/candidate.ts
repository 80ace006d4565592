import {
  endpointVersion,
  endpointWeight,
  endpointZone,
  type Endpoint,
} from '../core/records/endpoint.js';
import type { EndpointLoad } from './load/endpoint-load.js';
import { murmurHash } from './policies/murmur-hash.js';

/** An endpoint as policies and modifiers see it. The balancer's own object per endpoint can be one. */
export interface Candidate {
  /** The endpoint, whose address identifies the candidate. */
  readonly endpoint: Endpoint;
  /** Its share of calls relative to the others, from its record. */
  readonly weight: number;
  /** Its zone, from its record. */
  readonly zone: string | undefined;
  /** Its version, from its record. */
  readonly version: string | undefined;
  /** Hash of its address: where it stands on a ring. Unsigned 32 bits. */
  readonly hash: number;
  /** When it joined, as this client saw it: first seen, or registered anew. Monotonic milliseconds. */
  readonly joinedMs: number;
  /** Its statistics: the same object as long as the endpoint is known. */
  readonly load: EndpointLoad;
}

/** What a record says about its endpoint, read once so that neither a pick nor a list has to. */
export interface EndpointFacts extends Pick<
  Candidate,
  'endpoint' | 'weight' | 'zone' | 'version' | 'hash'
> {
  /** Hash of its address with this seed, unsigned 32 bits; that of the seed which was asked for last is remembered. */
  seededHash(seed: number): number;
}

/** An endpoint's facts: its record is read when they are made, each hash when it is asked for first. */
export class ReadEndpointFacts implements EndpointFacts {
  readonly weight: number;
  readonly zone: string | undefined;
  readonly version: string | undefined;
  private knownHash: number | undefined;
  private seed: number | undefined;
  private knownSeededHash = 0;

  constructor(readonly endpoint: Endpoint) {
    this.weight = endpointWeight(endpoint);
    this.zone = endpointZone(endpoint);
    this.version = endpointVersion(endpoint);
  }

  /** Most policies never ask. */
  get hash(): number {
    this.knownHash ??= murmurHash(this.endpoint.address);
    return this.knownHash;
  }

  seededHash(seed: number): number {
    // Both signed: V8 keeps numbers of 32 bits in the object itself, and thousands of these are read for every list.
    const signed = seed | 0;
    if (signed !== this.seed) {
      this.knownSeededHash = murmurHash(this.endpoint.address, seed) | 0;
      this.seed = signed;
    }
    return this.knownSeededHash >>> 0;
  }
}
