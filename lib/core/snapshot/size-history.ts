/** The sizes of a list within a window of time; the removal guard compares removals with the largest. */

/**
 * The sizes of a list within a window of time, changed in place. It keeps only sizes that no later size has reached (the
 * sliding window maximum), so that a step costs O(1) on average.
 */
export class SizeHistory {
  /** Ordered by time, with falling sizes: the first is the largest within the window, the last the current one. */
  private readonly entries: { readonly size: number; untilMs: number }[] = [];
  /** The sum of all discounts. The entries are larger by it, so that a discount need not change each entry. */
  private discounted = 0;

  /**
   * Records the size at this time.
   *
   * @param now milliseconds, never less than before
   * @param windowMs how long a size counts after it was replaced, in milliseconds
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

  /** Subtracts `count` from all sizes, as if these endpoints had never been listed. */
  discount(count: number): void {
    this.discounted += count;
  }

  /** The largest size within the window minus the current size. */
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
