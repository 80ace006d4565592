import { CallTally } from '../../../lib/balance/load/call-tally.js';
import {
  isEjected,
  stepOutliers,
  type OutlierOptions,
  type OutlierState,
  type OutlierStep,
} from '../../../lib/balance/modifiers/outlier-detection.js';

/** A fleet of endpoints, and the outlier detection that judges it. */
export class OutlierFleet {
  readonly tallies: CallTally[];
  readonly unusable = new Set<CallTally>();
  state: OutlierState = new Map();

  constructor(
    size: number,
    private readonly options: OutlierOptions = {},
  ) {
    this.tallies = Array.from({ length: size }, () => new CallTally());
    this.step(0);
  }

  step(nowMs: number): OutlierStep {
    const members = this.tallies.map((tally) => ({ tally, usable: !this.unusable.has(tally) }));
    const step = stepOutliers(this.state, members, this.options, nowMs);
    this.state = step.state;
    return step;
  }

  succeed(at: number, times = 1): void {
    for (let call = 0; call < times; call++) this.tallies[at]!.record('success');
  }

  fail(at: number, times = 1): void {
    for (let call = 0; call < times; call++) this.tallies[at]!.record('failure');
  }

  ejected(): number[] {
    return [...this.tallies.keys()].filter((at) => isEjected(this.state, this.tallies[at]!));
  }
}
