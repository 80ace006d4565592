/** Long work in slices, between which everything else of the process has its turn. */
import type { Clock } from '../../core/clock.js';

/** How long one slice may take, in milliseconds, but for its last step. */
const SLICE_MS = 5;

/** Divides one piece of work. */
export class WorkSlices {
  private startedMs: number;

  constructor(private readonly clock: Clock) {
    this.startedMs = clock.now();
  }

  /** After each step: `undefined` while the slice has time left, else what to wait for until the next one begins. */
  rest(): Promise<void> | undefined {
    if (this.clock.now() - this.startedMs < SLICE_MS) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.startedMs = this.clock.now();
        resolve();
      });
    });
  }
}
