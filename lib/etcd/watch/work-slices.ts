/** Divides long work into slices; between them the event loop runs other work. */
import type { Clock } from '../../core/clock.js';

/** How long one slice may take, in milliseconds; its last step may exceed it. */
const SLICE_MS = 5;

/** Tells one piece of long work when to rest, so that the event loop can run other work in between. */
export class WorkSlices {
  private startedMs: number;

  constructor(private readonly clock: Clock) {
    this.startedMs = clock.now();
  }

  /**
   * Call it after each step: returns `undefined` while the slice has time left, otherwise a promise for the
   * next slice.
   */
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
