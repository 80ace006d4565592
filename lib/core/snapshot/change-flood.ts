/** Detects a flood of changes: too many changes to be processed one by one. */

/** Changes at this rate are never a flood, in changes per millisecond. */
const STEADY_PER_MS = 0.2;
/** Changes are a flood once more than this many have arrived beyond the steady rate. */
const BURST = 50;
/** Upper bound of the counted level, so that a flood ends soon after its last change. */
const MOST = 2 * BURST;

/** Counts the changes of one watch in a leaky bucket: a level above `BURST` is a flood. */
export class ChangeFlood {
  private level = 0;
  private countedAt = 0;

  /**
   * @param count how many changes arrived together
   * @param now milliseconds, never less than before
   * @returns whether more than 50 changes exceed the rate of 200 a second
   */
  count(count: number, now: number): boolean {
    const leaked = (now - this.countedAt) * STEADY_PER_MS;
    this.countedAt = now;
    this.level = Math.min(MOST, Math.max(0, this.level - leaked) + count);
    return this.level > BURST;
  }
}
