/**
 * The weight of one answer in the typical latency: its half-life is about 90 calls. The weight is small
 * enough to smooth out single answers, and large enough to follow a deployment.
 */
const SMOOTHING = 1 / 128;

/**
 * The typical latency before the first answer, in milliseconds. Any value works: all endpoints start equal.
 */
const FIRST_GUESS_MS = 1;

/** The shortest latency that counts, in milliseconds, so that logarithms stay finite and products above 0. */
export const SHORTEST_MS = 0.001;

/** The sums over the endpoints of one balancer: one object, which the loads of all its endpoints share. */
export class FleetLoad {
  /** Calls in flight on all endpoints together, open streams included. */
  inFlight = 0;
  /** The latency of a typical answer in milliseconds: the geometric mean of recent latencies. */
  typicalMs = FIRST_GUESS_MS;
  private logarithm = Number.NaN;

  /**
   * Adds the latency of one answer to the typical latency. The mean is geometric because latencies span
   * decades: one answer of 2 s among a hundred answers of 1 ms must not make 20 ms typical.
   *
   * @param latencyMs milliseconds from sending the call to its answer
   */
  observe(latencyMs: number): void {
    const sample = Math.log(Math.max(latencyMs, SHORTEST_MS));
    this.logarithm = Number.isNaN(this.logarithm)
      ? sample
      : this.logarithm + (sample - this.logarithm) * SMOOTHING;
    this.typicalMs = Math.exp(this.logarithm);
  }
}
