/** Half-life of the typical latency: about 90 calls. Long enough to be calm, short enough to follow a deployment. */
const SMOOTHING = 1 / 128;

/** The typical latency before the first answer, in milliseconds. Any value serves: all endpoints start equal. */
const FIRST_GUESS_MS = 1;

/** The least latency, in milliseconds: a shorter one counts as this. Logarithms stay finite, and products above 0. */
export const SHORTEST_MS = 0.001;

/** The sums over the endpoints of one balancer. One object per balancer, which the loads of its endpoints share. */
export class FleetLoad {
  /** Calls in flight on all endpoints together, open streams included. */
  inFlight = 0;
  /** The latency of a typical answer in milliseconds: the geometric mean of recent ones. */
  typicalMs = FIRST_GUESS_MS;
  private logarithm = Number.NaN;

  /**
   * Takes in one answer. The mean is geometric because latencies span decades: one answer of 2 s among a hundred of
   * 1 ms must not make 20 ms typical.
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
