/** Ends of refusals within this many milliseconds of each other are one: memory is bounded by time, not by calls. */
const GRAIN_MS = 50;

/**
 * The refusals of an endpoint that are not over yet. Each counts as one call in flight for as long as the server asked to be left
 * alone, which is what a latency of that length would come to.
 */
export class RefusedCalls {
  /** When refusals are over, ascending, in milliseconds, and how many are then. */
  private readonly ends: number[] = [];
  private readonly counts: number[] = [];
  private total = 0;

  /** How many there were when it was last asked. */
  get size(): number {
    return this.total;
  }

  /** @param untilMs when it is over, in monotonic milliseconds */
  add(untilMs: number): void {
    const { ends, counts } = this;
    const end = Math.ceil(untilMs / GRAIN_MS) * GRAIN_MS;
    let at = ends.length;
    // Nearly always the last: servers ask for the same time again and again.
    while (at > 0 && ends[at - 1]! > end) at--;
    if (at > 0 && ends[at - 1] === end) counts[at - 1]!++;
    else {
      ends.splice(at, 0, end);
      counts.splice(at, 0, 1);
    }
    this.total++;
  }

  /** How many are not over. */
  at(nowMs: number): number {
    const { ends, counts } = this;
    let over = 0;
    while (over < ends.length && ends[over]! <= nowMs) this.total -= counts[over++]!;
    if (over > 0) {
      ends.splice(0, over);
      counts.splice(0, over);
    }
    return this.total;
  }
}
