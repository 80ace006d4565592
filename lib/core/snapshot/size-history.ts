/** The sizes of a list within a window of time; the removal guard compares removals with the largest size. */

/**
 * The sizes of a list within a window of time, changed in place. It keeps only sizes that no later size has
 * reached (the sliding window maximum), so that a step costs O(1) on average.
 */
export class SizeHistory {
  /** Sizes in the order of time, and falling: first the largest within the window, last the current size. */
  private readonly entries: { readonly size: number; untilMs: number }[] = [];
  /** The sum of all discounts. Each entry is a size plus this sum, so a discount changes no entry. */
  private discounted = 0;

  /**
   * Records the size of the list at this time.
   *
   * @param now milliseconds, never less than before
   * @param windowMs how long a size counts after another size has replaced it, in milliseconds
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

  /** Subtracts `count` from all sizes: the endpoints that announced their shutdown count as never listed. */
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
