/** What a balancer gives to its connections: time, randomness and settings. */
import type { PeakEwmaOptions } from '../../balance/load/peak-ewma.js';
import type { Clock, Random } from '../../core/clock.js';

/** Time and randomness. */
export interface BalancerPorts {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Settings of all connections of a balancer. They never change: a balancer whose settings change gives its
 * connections a new object.
 */
export interface ConnectionSettings {
  /** How long an attempt may take until the peer answers in HTTP/2, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** The service whose health is checked; `undefined`: no check, a connected server counts as healthy. */
  readonly healthService: string | undefined;
  /** How latency is estimated; `undefined`: existing estimates keep their options. */
  readonly latency: PeakEwmaOptions | undefined;
}
