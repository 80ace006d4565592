/** `peak_ewma`: the better of two random choices, by latency and calls in flight. */
import { countInFlight, type InFlightSum } from '../load/in-flight-sum.js';
import {
  DEFAULT_DECAY_MS,
  DEFAULT_FAILURE_PENALTY,
  type PeakEwmaOptions,
} from '../load/peak-ewma.js';
import type { PolicyDefinition } from '../policy-definition.js';
import { PickTwo, type LoadFunction } from './pick-two.js';

/** As `least_request`, by expected latency times calls in flight: slow and failing servers get few calls. */
export const peakEwma = {
  name: 'peak_ewma',
  usesWeight: true,
  usesLoad: true,
  needsWholeList: false,
  connects: 'all',
  options: {
    /**
     * `peak_ewma`: time constant of the decay in milliseconds, 1 to 600,000: after this time, 37 % of an old
     * peak are left. Default 1000: a server that let a call wait 1 s where 1 ms is usual is tried again after
     * 7 s.
     */
    decayMs: { kind: 'number', minimum: 1, maximum: 600_000, default: DEFAULT_DECAY_MS },
    /**
     * `peak_ewma`: how strongly failures raise the load, 0 to 1,000,000: the load is multiplied by 1 +
     * `failurePenalty` × the share of recent calls that failed. Default 100.
     */
    failurePenalty: {
      kind: 'number',
      minimum: 0,
      maximum: 1_000_000,
      default: DEFAULT_FAILURE_PENALTY,
    },
  },
  latency: (options) => options,
  createPicker: (pool, _options, { random }) =>
    new PickTwo(pool, peakEwmaLoad(countInFlight(pool.candidates), pool.candidates.length), random),
} as const satisfies PolicyDefinition<PeakEwmaOptions>;

/**
 * The load that `peak_ewma` compares: the latency to expect, times how crowded the endpoint is.
 *
 *     load = expected latency × (in flight / weight + 1 + m) / (1 + m)      m = mean calls in flight per
 * endpoint
 *
 * The latency is the greater of the estimate and the present silence (`expectedMs`), so that the load of a
 * frozen server grows while its calls hang, long before the first of them fails. With weight 2 the same load
 * is reached with twice the calls.
 *
 * Source: Finagle's Peak EWMA, where m is 0. But a latency that was measured while m calls share an endpoint
 * already contains their waiting; multiplied by all of them, it counts twice: at 32 calls at a time a server
 * that takes 50 ms looked better idle than one that takes 6 ms with 15 calls in flight, and got 2.4 % of
 * calls instead of 0.1 % (measured). With m, the load counts how much more crowded than usual the endpoint
 * is. A client with few calls in flight sees no difference.
 *
 * @param pool the calls in flight on the endpoints that are compared; their mean is m
 * @param size how many endpoints share these calls, at least 1
 */
export function peakEwmaLoad(pool: Pick<InFlightSum, 'inFlight'>, size: number): LoadFunction {
  return (load, weight, nowMs) => {
    const usual = 1 + pool.inFlight / size;
    return (load.expectedMs(nowMs) * (load.inFlight / weight + usual)) / usual;
  };
}
