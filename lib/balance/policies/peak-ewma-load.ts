import type { InFlightSum } from '../load/in-flight-sum.js';
import type { LoadFunction } from './pick-two.js';

/**
 * The load `peak_ewma` compares: the latency to expect, times how crowded the endpoint is.
 *
 *     load = expected latency × (in flight / weight + 1 + m) / (1 + m)      m = mean calls in flight per endpoint
 *
 * The latency is the greater of the estimate and the present silence (`expectedMs`), so that of a frozen server grows while
 * its calls hang, long before the first of them fails. With weight 2 the same load is reached with twice the calls.
 *
 * Source: Finagle's Peak EWMA, where m is 0. But a latency measured while m calls share an endpoint has their waiting in it
 * already, and times all of them it counts twice: at 32 calls at a time a server that takes 50 ms looked better idle than
 * one that takes 6 ms with 15 calls in flight, and got 2.4 % of calls instead of 0.1 % (measured). With m what counts is
 * how much more crowded it is than usual. A client with few calls in flight sees no difference.
 *
 * @param pool the calls in flight of those that are compared: their mean is the usual
 * @param size how many endpoints share them, at least 1
 */
export function peakEwmaLoad(pool: Pick<InFlightSum, 'inFlight'>, size: number): LoadFunction {
  return (load, weight, nowMs) => {
    const usual = 1 + pool.inFlight / size;
    return (load.expectedMs(nowMs) * (load.inFlight / weight + usual)) / usual;
  };
}
