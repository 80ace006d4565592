import type { CallOutcome } from './call-outcome.js';
import { CallTally } from './call-tally.js';
import type { FleetLoad } from './fleet-load.js';
import type { InFlightSum } from './in-flight-sum.js';
import { PeakEwma, type PeakEwmaOptions } from './peak-ewma.js';
import { RefusedCalls } from './refused-calls.js';

/**
 * What the balancer knows about the load of one endpoint. The object stays as long as the endpoint is known,
 * across list updates, reconnects and new pickers; it is replaced when another process takes over the
 * address.
 */
export class EndpointLoad {
  /** Calls to the endpoint that are in flight, open streams included. */
  inFlight = 0;
  /** The estimate of the endpoint's latency. */
  readonly latency: PeakEwma;
  /** How calls to the endpoint ended. */
  readonly tally = new CallTally();
  /** Counts a call as in flight, without measuring it. A field, so that a call costs no closure. */
  readonly enter = (): void => {
    this.inFlight++;
    this.fleet.inFlight++;
    if (this.pool !== undefined) this.pool.inFlight++;
  };
  /** Ends the count of a call that {@link enter} began. */
  readonly leave = (): void => {
    this.inFlight--;
    this.fleet.inFlight--;
    if (this.pool !== undefined) this.pool.inFlight--;
  };
  /** A second sum, besides `fleet`, in which the endpoint's calls in flight count. */
  private pool: InFlightSum | undefined;
  /** Created at the first refusal, because most endpoints never refuse. */
  private refused: RefusedCalls | undefined;
  private timedInFlight = 0;
  private quietSinceMs = 0;

  /**
   * @param fleet the sums of the balancer to which this endpoint belongs
   * @param options how the estimate of the latency follows the calls
   */
  constructor(
    private readonly fleet: FleetLoad,
    options?: PeakEwmaOptions,
  ) {
    this.latency = new PeakEwma(fleet, options);
  }

  /**
   * Makes a sum count the endpoint's calls in flight, including the calls that are under way now. An earlier
   * sum no longer counts them.
   *
   * @param pool the sum over the endpoints among which a picker chooses
   */
  countIn(pool: InFlightSum): void {
    this.pool = pool;
    pool.inFlight += this.inFlight;
    pool.refused += this.refused?.size ?? 0;
  }

  /**
   * Records that a call was sent. Exactly one {@link ended} with the same `timed` must follow.
   *
   * @param nowMs monotonic milliseconds
   * @param timed false for a call whose duration says nothing about the server, such as a stream: it counts
   *   as in flight and in the tally, but neither as latency nor as silence
   */
  started(nowMs: number, timed = true): void {
    this.enter();
    if (timed && this.timedInFlight++ === 0) this.quietSinceMs = nowMs;
  }

  /**
   * Records that a call ended.
   *
   * @param nowMs monotonic milliseconds
   * @param startedMs the `nowMs` that {@link started} got
   * @param outcome how the call ended
   * @param timed the `timed` that {@link started} got
   * @param refusedMs how long the endpoint wants no calls (`refusalMs`), in milliseconds. A refusal is fast,
   *   and would make the endpoint look idle; so this time counts as latency, and the call counts as in flight
   *   for that long
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
    // Neither a deadline that passed nor a call that the client gave up is a sign of life of the server.
    if (outcome === 'success' || outcome === 'failure') this.quietSinceMs = nowMs;
  }

  /** How many calls that the endpoint refused still count as in flight. */
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
   * The estimate sinks with time only while the endpoint has nothing to answer. A call in flight will show
   * whether the endpoint is still slow; until it ends, the estimate stays. So each trial of a slow endpoint
   * costs one call. If the estimate sank meanwhile, a trial would cost dozens of calls at thousands of calls
   * per second.
   */
  expectedMs(nowMs: number): number {
    return this.timedInFlight > 0
      ? Math.max(this.latency.measured(), this.silenceMs(nowMs))
      : this.latency.estimate(nowMs);
  }

  /**
   * How long the endpoint has had calls to answer and has answered none, in milliseconds; 0 if it has none.
   *
   * It is the time since the last answer and not the age of the oldest call. So it needs only two numbers,
   * and a server with one handler that hangs still counts as alive while it answers all other calls.
   */
  silenceMs(nowMs: number): number {
    return this.timedInFlight > 0 ? nowMs - this.quietSinceMs : 0;
  }

  private refuse(nowMs: number, refusedMs: number): void {
    this.refused ??= new RefusedCalls();
    // Drops expired refusals too: they would pile up under a policy that never asks for `refusedCalls`.
    this.refusedCalls(nowMs);
    this.refused.add(nowMs + refusedMs);
    if (this.pool !== undefined) this.pool.refused++;
  }
}
