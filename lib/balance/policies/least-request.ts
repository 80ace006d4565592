/** `least_request`: the better of two random choices, by calls in flight. */
import type { EndpointLoad } from '../load/endpoint-load.js';
import type { PolicyDefinition } from '../policy-definition.js';
import { PickTwo } from './pick-two.js';

/** The less busy of two endpoints drawn at random; open streams count. */
export const leastRequest = {
  name: 'least_request',
  usesWeight: true,
  usesLoad: true,
  needsWholeList: false,
  connects: 'all',
  options: {},
  createPicker: (pool, _options, { random }) => new PickTwo(pool, leastRequestLoad, random),
} as const satisfies PolicyDefinition;

/**
 * The load that `least_request` compares: calls in flight, with open streams and refused calls, per weight.
 *
 * Source: gRFC A48 (least_request), with Envoy's division by weight.
 *
 * @param load the load of the endpoint
 * @param weight the endpoint's weight relative to the mean of the pool, above 0
 * @param nowMs monotonic milliseconds
 */
export function leastRequestLoad(load: EndpointLoad, weight: number, nowMs: number): number {
  return (load.inFlight + load.refusedCalls(nowMs)) / weight;
}
