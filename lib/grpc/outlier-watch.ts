/** Runs outlier detection over a balancer's connections: judges them at intervals and remembers who is out. */
import type { CallTally } from '../balance/call-tally.js';
import {
  type OutlierOptions,
  type OutlierState,
  stepOutliers,
  wantsOutlierStep,
} from '../balance/outlier-detection.js';
import type { CancelTimer, Clock } from '../core/clock.js';
import type { EndpointConnection } from './endpoint-connection.js';

/** Who is ejected, as last judged. */
export class OutlierWatch {
  private state: OutlierState = new Map();
  private cancelTimer: CancelTimer | undefined;

  /**
   * @param connections the connections to judge, asked for at each step
   * @param onChange somebody was ejected or returned
   */
  constructor(
    private readonly options: OutlierOptions,
    private readonly clock: Clock,
    private readonly connections: () => Iterable<EndpointConnection>,
    private readonly onChange: () => void,
  ) {
    this.judge();
  }

  isEjected(tally: CallTally): boolean {
    return this.state.get(tally)?.ejectedUntilMs !== undefined;
  }

  /** A call failed: judges at once where that may make the difference. */
  onFailure(tally: CallTally): void {
    if (wantsOutlierStep(tally, this.options)) this.judge();
  }

  stop(): void {
    this.cancelTimer?.();
  }

  /** Judges now. To be called when endpoints have joined as well: from then on their calls count. */
  judge(): void {
    const members = Array.from(this.connections(), ({ load, state }) => ({
      tally: load.tally,
      usable: state === 'ready',
    }));
    const step = stepOutliers(this.state, members, this.options, this.clock.now());
    this.state = step.state;
    this.cancelTimer?.();
    this.cancelTimer = this.clock.setTimer(step.nextStepMs, () => this.judge());
    if (step.ejected.length > 0 || step.returned.length > 0) this.onChange();
  }
}
