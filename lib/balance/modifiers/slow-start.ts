/** How the share of calls of an endpoint that has just joined grows. */
export interface SlowStartOptions {
  /** How long the share grows, in milliseconds, above 0. */
  readonly windowMs: number;
  /**
   * The shape of the growth, above 0: 1 is a straight line, 2 rises faster at the beginning (square root),
   * 0.5 slower (square). Default 1.
   */
  readonly aggression?: number;
  /** The share of its weight with which an endpoint begins, in (0, 1]. Default 0.1. */
  readonly minWeight?: number;
}

/**
 * In how many steps per window the share grows: the balancer computes the weights once per step. In a short
 * window it makes fewer steps, see `SHORTEST_STEP_MS`.
 */
const STEPS = 20;

/** The shortest step, in milliseconds: the balancer computes the weights no more often. */
const SHORTEST_STEP_MS = 100;

/**
 * The share of its weight that an endpoint of a certain age gets, in (0, 1].
 *
 * Source: Envoy, "Slow start mode": `max(minWeight, (age / window) ^ (1 / aggression))`.
 *
 * @param ageMs milliseconds since the endpoint joined
 */
export function slowStartShare(ageMs: number, options: SlowStartOptions): number {
  if (ageMs >= options.windowMs) return 1;
  const ramp = (Math.max(0, ageMs) / options.windowMs) ** (1 / (options.aggression ?? 1));
  return Math.max(options.minWeight ?? 0.1, ramp);
}

/**
 * The time until the shares have changed enough to compute the weights again, in milliseconds.
 *
 * @param youngestAgeMs age of the endpoint that joined last
 * @returns `undefined` if no endpoint is in its slow start
 */
export function nextSlowStartStepMs(
  youngestAgeMs: number,
  options: SlowStartOptions,
): number | undefined {
  const leftMs = options.windowMs - youngestAgeMs;
  return leftMs > 0
    ? Math.min(leftMs, Math.max(SHORTEST_STEP_MS, options.windowMs / STEPS))
    : undefined;
}
