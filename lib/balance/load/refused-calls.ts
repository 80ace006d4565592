/**
 * Refusals that end within this many milliseconds of each other share one entry, so that the memory does not
 * grow with the number of calls.
 */
const GRAIN_MS = 50;

/**
 * The refusals of an endpoint that are not over yet. Each counts as one call in flight for as long as the
 * server asked for no calls, as a call of that latency would.
 */
export class RefusedCalls {
  /** When refusals end, in milliseconds, ascending; `counts` says how many end at each of these times. */
  private readonly ends: number[] = [];
  private readonly counts: number[] = [];
  private total = 0;

  /** How many refusals were not over when {@link at} was called last. */
  get size(): number {
    return this.total;
  }

  /** @param untilMs when the refusal is over, in monotonic milliseconds */
  add(untilMs: number): void {
    const { ends, counts } = this;
    const end = Math.ceil(untilMs / GRAIN_MS) * GRAIN_MS;
    let at = ends.length;
    // The right place is nearly always at the end: servers ask for the same time at each refusal.
    while (at > 0 && ends[at - 1]! > end) at--;
    if (at > 0 && ends[at - 1] === end) counts[at - 1]!++;
    else {
      ends.splice(at, 0, end);
      counts.splice(at, 0, 1);
    }
    this.total++;
  }

  /** How many refusals are not over at `nowMs`. Drops the others. */
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
