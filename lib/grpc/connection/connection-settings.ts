/** What a balancer gives to its connections: time, randomness and settings. */
import type { PeakEwmaOptions } from '../../balance/load/peak-ewma.js';
import type { Clock, Random } from '../../core/clock.js';

/** Time and randomness. */
export interface BalancerPorts {
  readonly clock: Clock;
  readonly random: Random;
}

/** Settings of all connections of a balancer. A balancer whose settings change hands out a new value. */
export interface ConnectionSettings {
  /** How long a connection may take until HTTP/2 answers, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** The service whose health is asked for; `undefined`: connected is healthy. */
  readonly healthService: string | undefined;
  /** How latency is estimated; `undefined`: an estimate that exists stays as it is. */
  readonly latency: PeakEwmaOptions | undefined;
}
