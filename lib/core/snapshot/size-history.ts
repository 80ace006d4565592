/** How large a list was lately, and the most it was: what removals are compared with. */

/**
 * The sizes of a list within a window of time, changed in place. Only sizes that a later one has not reached are kept (the sliding window
 * maximum): a step costs O(1) on average, however often the size changes.
 */
export class SizeHistory {
  /** Falling in size, rising in time: the last one is the current, the first the largest within the window. */
  private readonly entries: { readonly size: number; untilMs: number }[] = [];
  /** What was taken from all sizes so far: added to every entry instead of changing each. */
  private discounted = 0;

  /**
   * The size is another one, or was looked at again.
   *
   * @param now milliseconds, never less than before
   * @param windowMs how long a size counts once it is no longer the current one, in milliseconds
   */
  record(size: number, now: number, windowMs: number): void {
    const { entries } = this;
    const absolute = size + this.discounted;
    const last = entries.at(-1);
    if (last?.size !== absolute) {
      if (last !== undefined) last.untilMs = now;
      while (entries.length > 0 && entries.at(-1)!.size <= absolute) entries.pop();
      entries.push({ size: absolute, untilMs: Infinity });
    }
    while (now - entries[0]!.untilMs > windowMs) entries.shift();
  }

  /** As if so many had never been there. */
  discount(count: number): void {
    this.discounted += count;
  }

  /** How much smaller the list is than it was within the window. */
  get lost(): number {
    return this.peak - this.current;
  }

  /** The largest size within the window. */
  get peak(): number {
    return (this.entries[0]?.size ?? this.discounted) - this.discounted;
  }

  private get current(): number {
    return (this.entries.at(-1)?.size ?? this.discounted) - this.discounted;
  }
}
