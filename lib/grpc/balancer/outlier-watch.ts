/**
 * Runs outlier detection over a balancer's connections: judges them at intervals and remembers which are
 * ejected.
 */
import type { CallTally } from '../../balance/load/call-tally.js';
import {
  isEjected,
  type OutlierOptions,
  type OutlierState,
  stepOutliers,
  wantsOutlierStep,
} from '../../balance/modifiers/outlier-detection.js';
import type { CancelTimer, Clock } from '../../core/clock.js';
import type { EndpointConnection } from '../connection/endpoint-connection.js';

/**
 * The shortest time between two judgements that failures cause, in milliseconds: each judgement reads the
 * whole fleet. If all endpoints fail, no judgement ejects one, and failed calls would cause one judgement
 * after another.
 */
const LEAST_INTERVAL_MS = 50;

/** Judges the connections of one balancer, and knows which of them are ejected. */
export class OutlierWatch {
  private state: OutlierState = new Map();
  private cancelTimer: CancelTimer | undefined;
  /**
   * When a failed call or the timer last caused a judgement of the connections. The next judgement after a
   * failure comes `LEAST_INTERVAL_MS` later at the earliest. Endpoints that join cause a judgement, too; it
   * does not count here.
   */
  private earlyMs = -Infinity;
  private dueMs = Infinity;
  private stopped = false;

  /**
   * @param connections returns the connections to judge, called at each judgement
   * @param isUsable whether a connection could take calls, ejected or not
   * @param onChange called when a connection was ejected or has returned
   */
  constructor(
    private options: OutlierOptions,
    private readonly clock: Clock,
    private readonly connections: () => Iterable<EndpointConnection>,
    private readonly isUsable: (connection: EndpointConnection) => boolean,
    private readonly onChange: () => void,
  ) {
    this.judge();
  }

  isEjected(tally: CallTally): boolean {
    return isEjected(this.state, tally);
  }

  /** Uses other options from now on; ejected connections stay ejected. */
  configure(options: OutlierOptions): void {
    this.options = options;
  }

  /** Called when a call has failed: judges soon if that failure may lead to an ejection. */
  onFailure(tally: CallTally): void {
    if (this.stopped || !wantsOutlierStep(tally, this.options)) return;
    const nowMs = this.clock.now();
    const waitMs = this.earlyMs + LEAST_INTERVAL_MS - nowMs;
    if (waitMs > 0) {
      this.judgeIn(waitMs);
      return;
    }
    this.earlyMs = nowMs;
    this.judge();
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
  }

  /** Judges all connections now. Also called when endpoints have joined: their calls count from then on. */
  judge(): void {
    const members = Array.from(this.connections(), (connection) => ({
      tally: connection.load.tally,
      usable: this.isUsable(connection),
    }));
    const step = stepOutliers(this.state, members, this.options, this.clock.now());
    this.state = step.state;
    this.dueMs = Infinity;
    this.judgeIn(step.nextStepMs);
    if (step.ejected.length > 0 || step.returned.length > 0) this.onChange();
  }

  private judgeIn(delayMs: number): void {
    const dueMs = this.clock.now() + delayMs;
    if (dueMs >= this.dueMs) return;
    this.dueMs = dueMs;
    this.cancelTimer?.();
    this.cancelTimer = this.clock.setTimer(delayMs, () => {
      this.earlyMs = this.clock.now();
      this.judge();
    });
  }
}
