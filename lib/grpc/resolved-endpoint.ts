/** Endpoints on their way from resolver to balancer, in grpc-js's form with ours attached. */
import { type EndpointFacts, ReadEndpointFacts } from '../balance/candidate.js';
import type { Endpoint } from '../core/records/endpoint.js';
import { endpointAddress } from '../core/records/endpoint-address.js';
import type { GrpcEndpoint, GrpcSubchannelAddress } from './grpc-js/grpc-experimental.js';

/** Both forms in one object, so that a list of thousands is one array on its whole way. */
class ResolvedEndpoint extends ReadEndpointFacts implements GrpcEndpoint {
  constructor(
    endpoint: Endpoint,
    readonly addresses: GrpcSubchannelAddress[],
  ) {
    super(endpoint);
  }
}

/** Lists that were made here: what is in them is ours. */
const ownLists = new WeakSet<readonly GrpcEndpoint[]>();

/** `null`: it could not be dialled. */
const resolved = new WeakMap<Endpoint, ResolvedEndpoint | null>();

/** The endpoints as grpc-js takes them, without those that could not be dialled. The same object for each every time. */
export function resolvedEndpoints(endpoints: readonly Endpoint[]): GrpcEndpoint[] {
  // A loop: `flatMap` costs a multiple, and every update of thousands comes through.
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

/** The list of one resolver: what it has in common with the one before, nearly everything as a rule, is not looked up again. */
export class ResolvedList {
  private before: readonly Endpoint[] = [];
  private resolved: GrpcEndpoint[] = [];

  /** The endpoints as {@link resolvedEndpoints} gives them. O(n), of which all but the difference is copied in one piece. */
  take(endpoints: readonly Endpoint[]): GrpcEndpoint[] {
    const { before, resolved } = this;
    this.resolved =
      // Where something was left out, places do not match.
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
  const shorter = Math.min(before.length, endpoints.length);
  let head = 0;
  while (head < shorter && before[head] === endpoints[head]) head++;
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
 * What the records of our endpoints inside grpc-js's say, without those that are not from our resolver. The same object for each endpoint
 * every time, so that its record is read once and its address hashed once, however many lists it is in.
 */
export function discoveredFacts(list: readonly GrpcEndpoint[]): readonly EndpointFacts[] {
  // As a rule, and then nothing is looked at or copied.
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
