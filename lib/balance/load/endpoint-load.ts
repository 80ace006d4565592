import type { CallOutcome } from './call-outcome.js';
import { CallTally } from './call-tally.js';
import type { FleetLoad } from './fleet-load.js';
import type { InFlightSum } from './in-flight-sum.js';
import { PeakEwma, type PeakEwmaOptions } from './peak-ewma.js';
import { RefusedCalls } from './refused-calls.js';

/**
 * What the balancer knows about the load of one endpoint. Kept as long as the endpoint is known, across list updates,
 * reconnects and new pickers; replaced when another process takes over the address.
 */
export class EndpointLoad {
  /** Calls in flight, open streams included. */
  inFlight = 0;
  /** The estimate of its latency. */
  readonly latency: PeakEwma;
  /** How its calls ended. */
  readonly tally = new CallTally();
  /** For calls that are counted as in flight, and not measured: made once, so that a call costs no closure. */
  readonly enter = (): void => {
    this.inFlight++;
    this.fleet.inFlight++;
    if (this.pool !== undefined) this.pool.inFlight++;
  };
  /** As {@link enter}, at the end of the call. */
  readonly leave = (): void => {
    this.inFlight--;
    this.fleet.inFlight--;
    if (this.pool !== undefined) this.pool.inFlight--;
  };
  /** What its calls in flight count for beside the fleet. */
  private pool: InFlightSum | undefined;
  /** Most endpoints never refuse. */
  private refused: RefusedCalls | undefined;
  private timedInFlight = 0;
  private quietSinceMs = 0;

  /**
   * @param fleet the sums of the balancer this endpoint belongs to
   * @param options how the latency estimate follows
   */
  constructor(
    private readonly fleet: FleetLoad,
    options?: PeakEwmaOptions,
  ) {
    this.latency = new PeakEwma(fleet, options);
  }

  /**
   * Its calls in flight, now and from now on, are part of this sum and of none it was in before.
   *
   * @param pool the sum over the endpoints it is chosen among
   */
  countIn(pool: InFlightSum): void {
    this.pool = pool;
    pool.inFlight += this.inFlight;
    pool.refused += this.refused?.size ?? 0;
  }

  /**
   * A call was sent. To be followed by exactly one {@link ended} with the same `timed`.
   *
   * @param nowMs monotonic milliseconds
   * @param timed false for a call whose duration says nothing about the server, such as a stream: it counts as in
   *   flight and in the tally, not as latency nor as silence
   */
  started(nowMs: number, timed = true): void {
    this.enter();
    if (timed && this.timedInFlight++ === 0) this.quietSinceMs = nowMs;
  }

  /**
   * A call ended.
   *
   * @param nowMs monotonic milliseconds
   * @param startedMs what was `nowMs` at {@link started}
   * @param outcome how it ended
   * @param timed as at {@link started}
   * @param refusedMs for how long the endpoint wants to be left alone (`refusalMs`), in milliseconds: a refusal is fast, and would make
   *   it look idle. It counts as latency, and as a call in flight for that long.
   */
  ended(nowMs: number, startedMs: number, outcome: CallOutcome, timed = true, refusedMs = 0): void {
    this.leave();
    this.tally.record(outcome);
    if (refusedMs > 0) this.refuse(nowMs, refusedMs);
    if (!timed) {
      if (refusedMs > 0) this.latency.tookAtLeast(refusedMs, nowMs);
      return;
    }
    this.timedInFlight--;
    const elapsedMs = nowMs - startedMs + refusedMs;
    if (outcome === 'success') this.latency.succeeded(elapsedMs, nowMs);
    else if (outcome === 'abandoned') this.latency.tookAtLeast(elapsedMs, nowMs);
    else this.latency.failed(elapsedMs, nowMs);
    // Neither a deadline that passed nor a call given up is a sign of life.
    if (outcome === 'success' || outcome === 'failure') this.quietSinceMs = nowMs;
  }

  /** Calls it refused that count as in flight still. */
  refusedCalls(nowMs: number): number {
    const { refused, pool } = this;
    if (refused === undefined || refused.size === 0) return 0;
    const before = refused.size;
    const left = refused.at(nowMs);
    if (pool !== undefined) pool.refused += left - before;
    return left;
  }

  /**
   * The latency to expect of a call that is sent now, in milliseconds; above 0.
   *
   * An estimate sinks only while the endpoint has nothing to answer. With a call in flight that is to show whether it is
   * still slow, the next one waits for that: one call per trial, where at thousands of calls per second it would be dozens.
   */
  expectedMs(nowMs: number): number {
    return this.timedInFlight > 0
      ? Math.max(this.latency.measured(), this.silenceMs(nowMs))
      : this.latency.estimate(nowMs);
  }

  /**
   * For how long the endpoint has had calls to answer and answered none, in milliseconds; 0 while it has none.
   *
   * Time since the last answer, not the age of the oldest call: it costs two numbers, and one handler that hangs does
   * not condemn a server that goes on answering everything else.
   */
  silenceMs(nowMs: number): number {
    return this.timedInFlight > 0 ? nowMs - this.quietSinceMs : 0;
  }

  private refuse(nowMs: number, refusedMs: number): void {
    this.refused ??= new RefusedCalls();
    // Drops expired refusals too: under a policy that never asks for `refusedCalls` they would pile up.
    this.refusedCalls(nowMs);
    this.refused.add(nowMs + refusedMs);
    if (this.pool !== undefined) this.pool.refused++;
  }
}
