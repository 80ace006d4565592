import type { EndpointLoad } from './endpoint-load.js';

/**
 * The load `peak_ewma` compares: the latency to expect times the calls that would share the endpoint.
 *
 * The latency is the greater of the estimate and the present silence, so the estimate of a frozen server grows while
 * its calls hang, long before the first of them fails. With weight 2 the same load is reached with twice the calls.
 *
 * @param load of the endpoint
 * @param weight its weight relative to the mean of the pool, above 0
 * @param nowMs monotonic milliseconds
 */
export function peakEwmaLoad(load: EndpointLoad, weight: number, nowMs: number): number {
  return (
    Math.max(load.latency.estimate(nowMs), load.silenceMs(nowMs)) * (load.inFlight / weight + 1)
  );
}
