import { SHORTEST_MS, type FleetLoad } from './fleet-load.js';

/** How the estimate of an endpoint's latency follows its calls. */
export interface PeakEwmaOptions {
  /**
   * Time constant of the decay in milliseconds, above 0: after this time, 37 % of an old peak are left.
   * Default 1000.
   *
   * Other values in use: Finagle and Linkerd 10 s, go-zero 10 s, kratos 600 ms. The constant decides how long
   * a slow server gets no calls, and so how soon it is tried again: a server whose last latency was `slow` is
   * tried again after `decayMs * ln(slow / usual)`. With one second that is 7 s for a server that let a call
   * wait 1 s where 1 ms is usual, and 4 s for 50 ms where 1 ms is usual; each trial costs one or two calls. A
   * forced pick every few seconds (go-zero, kratos) is therefore not needed, and would send calls into a
   * frozen server at a fixed rate.
   */
  readonly decayMs?: number;
  /**
   * How strongly failures raise the estimate, 0 or more: the estimate is the latency, multiplied by 1 +
   * `failurePenalty` × the share of recent calls that failed. Default 100. A server that fails fast has no
   * calls in flight; the penalty makes it look worse than a busy server. The penalty is a factor and not a
   * latency, so that it fits services of every speed. It depends on the share of failures, so that one error
   * in a hundred calls, which every server makes, hardly moves traffic.
   */
  readonly failurePenalty?: number;
}

/** Default of {@link PeakEwmaOptions.decayMs}. */
export const DEFAULT_DECAY_MS = 1_000;

/** Default of {@link PeakEwmaOptions.failurePenalty}. */
export const DEFAULT_FAILURE_PENALTY = 100;

/**
 * Without calls an estimate sinks to this share of the fleet's typical latency, and no lower. The share is so
 * low that an endpoint without recent calls is preferred, and so high that the endpoint is not preferred any
 * more once it has a second call in flight.
 */
const IDLE_FLOOR = 0.5;

/**
 * The least share of the distance to the value of a call by which this call moves the latency and the share
 * of failures, however fast calls follow each other. So five failures in a row count even at 10,000 calls per
 * second. And some dozens of faster answers end a peak: a pause of this process makes every call under way
 * look slow, and most of these are calls to fast servers. With decay by time alone, such a peak drove 0.9 %
 * of calls to a server that took 50 ms, at 9,000 calls per second (measured); with this bound it was 0.15 %.
 */
const LEAST_STEP = 1 / 32;

const LATENCY = 0;
const FAILURES = 1;
const STAMP = 2;

/**
 * A peak-sensitive, exponentially weighted moving average of one endpoint's latency: a slower answer counts
 * in full at once; a faster answer counts as time passes, or as further answers come.
 *
 * Source: Finagle, `com.twitter.finagle.loadbalancer.PeakEwma` (also linkerd2-proxy `tower::load::PeakEwma`).
 * As in these, the estimate sinks while no call is sent, so that a server that was slow once is tried again.
 * Different here: a new endpoint starts at the fleet's typical latency, not at 0 (which would flood it) nor
 * at a penalty (which would starve it); sinking stops at a floor; failures multiply the estimate.
 */
export class PeakEwma {
  private decayMs = DEFAULT_DECAY_MS;
  private failurePenalty = DEFAULT_FAILURE_PENALTY;
  /**
   * The latency in milliseconds, the share of failures, and the time of both. One array is one cache line,
   * where three fields would be three boxed numbers.
   */
  private readonly cells = Float64Array.of(Number.NaN, 0, Number.NEGATIVE_INFINITY);

  /**
   * @param fleet the source of the typical latency; answers are reported to it as well
   * @param options see {@link PeakEwmaOptions}
   */
  constructor(
    private readonly fleet: FleetLoad,
    options: PeakEwmaOptions = {},
  ) {
    this.configure(options);
  }

  /** Uses other options from now on; the estimate stays. */
  configure(options: PeakEwmaOptions): void {
    this.decayMs = options.decayMs ?? DEFAULT_DECAY_MS;
    this.failurePenalty = options.failurePenalty ?? DEFAULT_FAILURE_PENALTY;
  }

  /** The latency to expect at `nowMs`, in milliseconds, with the penalty for failures; above 0. */
  estimate(nowMs: number): number {
    const { typicalMs } = this.fleet;
    const latencyMs = this.cells[LATENCY]!;
    if (Number.isNaN(latencyMs)) return typicalMs;
    const kept = this.kept(nowMs);
    const sunkMs = Math.max(latencyMs * kept, Math.min(latencyMs, typicalMs * IDLE_FLOOR));
    return Math.max(sunkMs, SHORTEST_MS) * (1 + this.failurePenalty * this.cells[FAILURES]! * kept);
  }

  /** As {@link estimate}, at the time of the last answer: nothing has decayed since. */
  measured(): number {
    return this.estimate(this.cells[STAMP]!);
  }

  /** Adds an answer that came after `elapsedMs`. */
  succeeded(elapsedMs: number, nowMs: number): void {
    this.fleet.observe(elapsedMs);
    const kept = this.kept(nowMs);
    const latencyMs = this.cells[LATENCY]!;
    const failures = this.cells[FAILURES]!;
    const step = Math.max(1 - kept, LEAST_STEP);
    // The first answer replaces the guess; a slower answer counts in full; a faster answer moves the estimate
    // by the step.
    const isPeak = Number.isNaN(latencyMs) || elapsedMs > latencyMs;
    this.cells[LATENCY] = isPeak ? elapsedMs : latencyMs + (elapsedMs - latencyMs) * step;
    this.cells[FAILURES] = failures - step * failures;
    this.cells[STAMP] = nowMs;
  }

  /** Adds a failure after `elapsedMs`. A fast failure counts as no faster than the typical latency. */
  failed(elapsedMs: number, nowMs: number): void {
    const failures = this.cells[FAILURES]!;
    const step = Math.max(1 - this.kept(nowMs), LEAST_STEP);
    this.tookAtLeast(Math.max(elapsedMs, this.fleet.typicalMs), nowMs);
    this.cells[FAILURES] = failures + step * (1 - failures);
  }

  /** Adds a call that ended unanswered after `elapsedMs`: it can raise the estimate, but not lower it. */
  tookAtLeast(elapsedMs: number, nowMs: number): void {
    const kept = this.kept(nowMs);
    const latencyMs = this.cells[LATENCY]!;
    const sunkMs = Number.isNaN(latencyMs) ? this.fleet.typicalMs : latencyMs * kept;
    this.cells[LATENCY] = Math.max(elapsedMs, sunkMs);
    this.cells[FAILURES] = this.cells[FAILURES]! * kept;
    this.cells[STAMP] = nowMs;
  }

  /** The share of the past estimate that counts at `nowMs`, in [0, 1]. */
  private kept(nowMs: number): number {
    const idleMs = nowMs - this.cells[STAMP]!;
    return idleMs > 0 ? Math.exp(-idleMs / this.decayMs) : 1;
  }
}
