/** Endpoints on their way from resolver to balancer, in grpc-js's form with ours attached. */
import type { Endpoint } from '../core/endpoint.js';
import { endpointAddress } from '../core/endpoint-address.js';
import type { GrpcEndpoint } from './grpc-experimental.js';

interface ResolvedEndpoint extends GrpcEndpoint {
  readonly discovered: Endpoint;
}

/** `null`: it could not be dialled. */
const resolved = new WeakMap<Endpoint, ResolvedEndpoint | null>();

/** The endpoints as grpc-js takes them, without those that could not be dialled. The same object for each every time. */
export function resolvedEndpoints(endpoints: readonly Endpoint[]): GrpcEndpoint[] {
  // Loops, here and below: `flatMap` costs a multiple, and every update of thousands comes through.
  const list: GrpcEndpoint[] = [];
  for (const endpoint of endpoints) {
    let known = resolved.get(endpoint);
    if (known === undefined) {
      known = resolve(endpoint);
      resolved.set(endpoint, known);
    }
    if (known !== null) list.push(known);
  }
  return list;
}

/** Our endpoints inside grpc-js's, without those that are not from our resolver. */
export function discoveredEndpoints(list: readonly GrpcEndpoint[]): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const endpoint of list) {
    const { discovered } = endpoint as Partial<ResolvedEndpoint>;
    if (discovered !== undefined) endpoints.push(discovered);
  }
  return endpoints;
}

function resolve(endpoint: Endpoint): ResolvedEndpoint | null {
  const address = endpointAddress(endpoint);
  if (address === undefined) return null;
  const { kind: _, ...subchannelAddress } = address;
  return { addresses: [subchannelAddress], discovered: endpoint };
}
