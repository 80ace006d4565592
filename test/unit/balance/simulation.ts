import type { Random } from '../../../lib/core/clock.js';
import { callOutcome, refusalMs } from '../../../lib/balance/load/call-outcome.js';
import type { Candidate } from '../../../lib/balance/candidate.js';
import { FleetLoad } from '../../../lib/balance/load/fleet-load.js';
import {
  isEjected,
  stepOutliers,
  wantsOutlierStep,
  type OutlierOptions,
  type OutlierState,
} from '../../../lib/balance/modifiers/outlier-detection.js';
import type { Picker } from '../../../lib/balance/picker.js';
import type { Policy } from '../../../lib/balance/policy.js';
import { candidate, PLAIN, poolOf } from './fixtures.js';

/** The gRPC status codes with which the simulated servers answer. */
export const OK = 0;
export const DEADLINE_EXCEEDED = 4;
export const RESOURCE_EXHAUSTED = 8;
export const UNAVAILABLE = 14;

/** What a simulated server does with a call that reaches it at `nowMs`. */
export type ServerModel = (nowMs: number, random: Random) => Answer;

/** The answer of a simulated server, and when it comes. */
export interface Answer {
  readonly afterMs: number;
  readonly code?: number;
  /** When a refused call may be tried again, as the trailer of a server says it. */
  readonly pushback?: string;
}

/** One finished call of a run. */
export interface Call {
  readonly server: number;
  readonly sentMs: number;
  readonly latencyMs: number;
  readonly code: number;
}

/** The setting of one run of the simulation. */
export interface SimulationOptions {
  readonly policy: Policy;
  readonly servers: readonly ServerModel[];
  readonly random: Random;
  readonly deadlineMs: number;
  readonly durationMs: number;
  readonly outliers?: OutlierOptions;
}

/** A server whose calls take an exponentially distributed time with this mean. */
export function exponential(meanMs: number): ServerModel {
  return (_nowMs, random) => ({ afterMs: -Math.log(1 - random()) * meanMs });
}

/** A server that answers as `inside` from `fromMs` until `untilMs`, else as `outside`. */
export function during(
  fromMs: number,
  untilMs: number,
  inside: ServerModel,
  outside: ServerModel,
): ServerModel {
  return (nowMs, random) =>
    nowMs >= fromMs && nowMs < untilMs ? inside(nowMs, random) : outside(nowMs, random);
}

/** A server that stops for a while and then answers all waiting calls, as after SIGSTOP and SIGCONT. */
export function frozen(fromMs: number, untilMs: number, model: ServerModel): ServerModel {
  return (nowMs, random) => {
    const { afterMs, code } = model(nowMs, random);
    const isCaught = nowMs < untilMs && nowMs + afterMs >= fromMs;
    return { afterMs: isCaught ? untilMs - nowMs + afterMs : afterMs, code };
  };
}

/** A client and its servers as discrete events: the simulated time jumps to the next event. */
export class Simulation {
  readonly calls: Call[] = [];
  private readonly fleet = new FleetLoad();
  private readonly candidates: readonly Candidate[];
  private readonly events: { readonly atMs: number; readonly run: () => void }[] = [];
  private picker: Picker<Candidate>;
  private outlierState: OutlierState = new Map();
  private nowMs = 0;

  constructor(private readonly options: SimulationOptions) {
    const { policy } = options;
    this.candidates = options.servers.map((_, at) =>
      candidate(`10.0.0.1:${at + 1}`, {}, this.fleet, 0, policy.latency),
    );
    this.picker = this.createPicker();
    if (options.outliers !== undefined) this.judge();
  }

  /** Sends calls at a steady rate, whether or not earlier calls have ended. */
  runOpenLoop(callsPerSecond: number): readonly Call[] {
    const arrive = (): void => {
      this.call(() => {});
      this.at(this.nowMs + 1_000 / callsPerSecond, arrive);
    };
    arrive();
    return this.run();
  }

  /** Runs `concurrency` callers, each of which sends its next call when its last call ends. */
  runClosedLoop(concurrency: number): readonly Call[] {
    const again = (): void => this.call(again);
    for (let caller = 0; caller < concurrency; caller++) again();
    return this.run();
  }

  private call(ended: () => void): void {
    const { servers, deadlineMs, random, outliers } = this.options;
    const chosen = this.picker.pick(PLAIN, this.nowMs);
    const server = this.candidates.indexOf(chosen);
    const sentMs = this.nowMs;
    const { afterMs, code = OK, pushback } = servers[server]!(sentMs, random);
    chosen.load.started(sentMs);
    this.at(sentMs + Math.min(afterMs, deadlineMs), () => {
      const result = afterMs > deadlineMs ? DEADLINE_EXCEEDED : code;
      const refusedMs = refusalMs(result, pushback);
      chosen.load.ended(this.nowMs, sentMs, callOutcome(result), true, refusedMs);
      this.calls.push({ server, sentMs, latencyMs: this.nowMs - sentMs, code: result });
      if (
        outliers !== undefined &&
        result !== OK &&
        wantsOutlierStep(chosen.load.tally, outliers)
      ) {
        this.stepOutliers(outliers);
      }
      ended();
    });
  }

  private judge(): void {
    const { nextStepMs } = this.stepOutliers(this.options.outliers!);
    this.at(this.nowMs + Math.max(1, nextStepMs), () => this.judge());
  }

  private stepOutliers(outliers: OutlierOptions): { readonly nextStepMs: number } {
    const members = this.candidates.map(({ load }) => ({ tally: load.tally, usable: true }));
    const step = stepOutliers(this.outlierState, members, outliers, this.nowMs);
    this.outlierState = step.state;
    if (step.ejected.length + step.returned.length > 0) this.picker = this.createPicker();
    return step;
  }

  private createPicker(): Picker<Candidate> {
    const pool = poolOf(
      this.candidates.filter(({ load }) => !isEjected(this.outlierState, load.tally)),
    );
    const { policy, random } = this.options;
    return policy.createPicker(pool, { random, fleet: this.fleet }, this.picker);
  }

  private run(): readonly Call[] {
    for (let next = this.pop(); next.atMs < this.options.durationMs; next = this.pop()) {
      this.nowMs = next.atMs;
      next.run();
    }
    return this.calls;
  }

  private at(atMs: number, run: () => void): void {
    const { events } = this;
    let hole = events.length;
    for (
      let above = (hole - 1) >> 1;
      hole > 0 && events[above]!.atMs > atMs;
      above = (hole - 1) >> 1
    ) {
      events[hole] = events[above]!;
      hole = above;
    }
    events[hole] = { atMs, run };
  }

  private pop(): { readonly atMs: number; readonly run: () => void } {
    const { events } = this;
    const first = events[0]!;
    const last = events.pop()!;
    let hole = 0;
    for (let below = 1; below < events.length; below = 2 * hole + 1) {
      if (below + 1 < events.length && events[below + 1]!.atMs < events[below]!.atMs) below++;
      if (events[below]!.atMs >= last.atMs) break;
      events[hole] = events[below]!;
      hole = below;
    }
    if (events.length > 0) events[hole] = last;
    return first;
  }
}
