import {
  endpointVersion,
  endpointWeight,
  endpointZone,
  type Endpoint,
} from '../core/records/endpoint.js';
import type { EndpointLoad } from './load/endpoint-load.js';
import { murmurHash } from './policies/murmur-hash.js';

/** An endpoint as policies and modifiers see it. The balancer's own object of an endpoint may be one. */
export interface Candidate {
  /** The endpoint, whose address identifies the candidate. */
  readonly endpoint: Endpoint;
  /** The endpoint's share of calls relative to the others, from its record. */
  readonly weight: number;
  /** The zone of the endpoint, from its record. */
  readonly zone: string | undefined;
  /** The version that the endpoint runs, from its record. */
  readonly version: string | undefined;
  /** Hash of the endpoint's address, unsigned 32 bits: the endpoint's place on a ring. */
  readonly hash: number;
  /** When this client first saw the endpoint, or saw it registered anew, in monotonic milliseconds. */
  readonly joinedMs: number;
  /** The statistics of the endpoint: the same object as long as the endpoint is known. */
  readonly load: EndpointLoad;
}

/** What a record says about its endpoint, read once, so that neither a pick nor a list reads it again. */
export interface EndpointFacts extends Pick<
  Candidate,
  'endpoint' | 'weight' | 'zone' | 'version' | 'hash'
> {
  /** Hash of the address with a seed, unsigned 32 bits. The hash of the last seed is remembered. */
  seededHash(seed: number): number;
}

/** The facts of an endpoint. The record is read by the constructor, each hash when it is first needed. */
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

  /** Computed on demand, because most policies never use this hash. */
  get hash(): number {
    this.knownHash ??= murmurHash(this.endpoint.address);
    return this.knownHash;
  }

  seededHash(seed: number): number {
    // The seed and the hash are kept as signed numbers: V8 stores signed numbers of 32 bits in the object
    // itself, and each list reads thousands of them.
    const signed = seed | 0;
    if (signed !== this.seed) {
      this.knownSeededHash = murmurHash(this.endpoint.address, seed) | 0;
      this.seed = signed;
    }
    return this.knownSeededHash >>> 0;
  }
}
