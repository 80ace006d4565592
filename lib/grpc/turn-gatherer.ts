/**
 * Coalesces the requests of one turn of the event loop, so that a hundred changes cost as much as one or two.
 */

/**
 * Runs a task at the end of the turn in which it was requested. An urgent request runs the task at once if it
 * is the first request of its turn.
 */
export class TurnGatherer {
  private isGathering = false;
  private isDue = false;
  private stopped = false;

  constructor(private readonly task: () => void) {}

  /** @param isUrgent a call may wait for the task: the first request of a turn then runs it at once */
  request(isUrgent = false): void {
    const isFirst = !this.isGathering;
    if (isFirst) {
      this.isGathering = true;
      setImmediate(() => {
        this.isGathering = false;
        if (this.isDue) this.run();
      });
    }
    this.isDue = true;
    if (isFirst && isUrgent) this.run();
  }

  /** Runs the task now; requests made before do not run it again. */
  run(): void {
    this.isDue = false;
    if (!this.stopped) this.task();
  }

  /** Never runs the task again. */
  stop(): void {
    this.stopped = true;
  }
}
