/** Gathers what happens within one turn of the event loop, so that a hundred changes cost as much as one or two. */

/** Runs a task at the end of the turn in which it was asked for, and the first urgent time of a turn at once. */
export class TurnGatherer {
  private isGathering = false;
  private isDue = false;
  private stopped = false;

  constructor(private readonly task: () => void) {}

  /** @param isUrgent somebody may be waiting for it: the first of a turn does not wait for others */
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

  /** Runs it now; whatever was asked for so far is done with that. */
  run(): void {
    this.isDue = false;
    if (!this.stopped) this.task();
  }

  /** Nothing is run any more. */
  stop(): void {
    this.stopped = true;
  }
}
