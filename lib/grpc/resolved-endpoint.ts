/**
 * Endpoints on their way from the resolver to the balancer: one object has grpc-js's form of an endpoint and
 * ours.
 */
import { type EndpointFacts, ReadEndpointFacts } from '../balance/candidate.js';
import type { Endpoint } from '../core/records/endpoint.js';
import { endpointAddress } from '../core/records/endpoint-address.js';
import type { GrpcEndpoint, GrpcSubchannelAddress } from './grpc-js/grpc-experimental.js';

/** One endpoint with grpc-js's addresses and our facts, so that a list of thousands is only one array. */
class ResolvedEndpoint extends ReadEndpointFacts implements GrpcEndpoint {
  constructor(
    endpoint: Endpoint,
    readonly addresses: GrpcSubchannelAddress[],
  ) {
    super(endpoint);
  }
}

/** Lists that this file made: each of their endpoints is a `ResolvedEndpoint`. */
const ownLists = new WeakSet<readonly GrpcEndpoint[]>();

/** The resolved form of each endpoint; `null`: the endpoint cannot be dialled. */
const resolved = new WeakMap<Endpoint, ResolvedEndpoint | null>();

/**
 * The endpoints in grpc-js's form, without those that cannot be dialled. An endpoint always gives the same
 * object.
 */
export function resolvedEndpoints(endpoints: readonly Endpoint[]): GrpcEndpoint[] {
  // A loop, because every update of thousands of endpoints runs here, and `flatMap` takes several times as
  // long.
  const list: GrpcEndpoint[] = [];
  for (const endpoint of endpoints) {
    let known = resolved.get(endpoint);
    if (known === undefined) {
      known = resolve(endpoint);
      resolved.set(endpoint, known);
    }
    if (known !== null) list.push(known);
  }
  ownLists.add(list);
  return list;
}

/**
 * The lists of one resolver. The endpoints that a list shares with the list before it are not looked up
 * again; as a rule these are nearly all.
 */
export class ResolvedList {
  private before: readonly Endpoint[] = [];
  private resolved: GrpcEndpoint[] = [];

  /**
   * Resolves a list as {@link resolvedEndpoints} does. O(n), but only the difference to the list before is
   * looked up; the rest is copied.
   */
  take(endpoints: readonly Endpoint[]): GrpcEndpoint[] {
    const { before, resolved } = this;
    this.resolved =
      // If `resolved` lacks endpoints that cannot be dialled, one index means different endpoints in both
      // arrays.
      resolved.length === before.length
        ? splice(before, resolved, endpoints)
        : resolvedEndpoints(endpoints);
    this.before = endpoints;
    return this.resolved;
  }
}

function splice(
  before: readonly Endpoint[],
  resolved: readonly GrpcEndpoint[],
  endpoints: readonly Endpoint[],
): GrpcEndpoint[] {
  let head = 0;
  while (head < endpoints.length && before[head] === endpoints[head]) head++;
  let [wasEnd, isEnd] = [before.length, endpoints.length];
  while (wasEnd > head && isEnd > head && before[wasEnd - 1] === endpoints[isEnd - 1]) {
    wasEnd--;
    isEnd--;
  }
  const changed = resolvedEndpoints(endpoints.slice(head, isEnd));
  const list = resolved.slice(0, head).concat(changed, resolved.slice(wasEnd));
  ownLists.add(list);
  return list;
}

/**
 * The facts of the endpoints that our resolver made; other endpoints are left out. An endpoint always gives
 * the same object, so that its record is read once and its address hashed once, however many lists contain
 * it.
 */
export function discoveredFacts(list: readonly GrpcEndpoint[]): readonly EndpointFacts[] {
  // The usual case: nothing is filtered or copied.
  if (isOwnList(list)) return list;
  return list.filter((one): one is ResolvedEndpoint => one instanceof ResolvedEndpoint);
}

function isOwnList(list: readonly GrpcEndpoint[]): list is readonly ResolvedEndpoint[] {
  return ownLists.has(list);
}

function resolve(endpoint: Endpoint): ResolvedEndpoint | null {
  const address = endpointAddress(endpoint);
  if (address === undefined) return null;
  const { kind: _, ...subchannelAddress } = address;
  return new ResolvedEndpoint(endpoint, [subchannelAddress]);
}
