import type { EndpointLoad } from '../load/endpoint-load.js';

/**
 * The load `least_request` compares: calls in flight, open streams and refused calls included, per weight.
 *
 * Source: gRFC A48 (least_request), with Envoy's division by weight.
 *
 * @param load of the endpoint
 * @param weight its weight relative to the mean of the pool, above 0
 * @param nowMs monotonic milliseconds
 */
export function leastRequestLoad(load: EndpointLoad, weight: number, nowMs: number): number {
  return (load.inFlight + load.refusedCalls(nowMs)) / weight;
}
