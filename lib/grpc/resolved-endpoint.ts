/** An endpoint on its way from resolver to balancer, in grpc-js's form with ours attached. */
import { parseAddress } from '../core/address.js';
import type { Endpoint } from '../core/endpoint.js';
import type { GrpcEndpoint } from './grpc-experimental.js';

interface ResolvedEndpoint extends GrpcEndpoint {
  readonly discovered: Endpoint;
}

const resolved = new WeakMap<Endpoint, readonly ResolvedEndpoint[]>();

/** The endpoint as grpc-js takes it: one element, or none where it could not be dialled. The same object every time. */
export function resolvedEndpoint(endpoint: Endpoint): readonly GrpcEndpoint[] {
  const known = resolved.get(endpoint);
  if (known !== undefined) return known;
  const address = parseAddress(endpoint.address);
  const made: ResolvedEndpoint[] = [];
  if (address !== undefined) {
    const { kind: _, ...subchannelAddress } = address;
    made.push({ addresses: [subchannelAddress], discovered: endpoint });
  }
  resolved.set(endpoint, made);
  return made;
}

/** Our endpoint inside one of grpc-js's: one element, or none for an endpoint that is not from our resolver. */
export function discoveredEndpoint(endpoint: GrpcEndpoint): readonly Endpoint[] {
  const { discovered } = endpoint as Partial<ResolvedEndpoint>;
  return discovered === undefined ? [] : [discovered];
}
