/** Whether more changes come than should be taken in one by one. */

/** So many changes per millisecond may come for as long as they like. */
const STEADY_PER_MS = 0.2;
/** So many more may come at once. */
const BURST = 50;
/** More than these are not counted: a flood is over soon after its last change. */
const MOST = 2 * BURST;

/** Counts the changes of one watch, as a bucket that leaks: what is above its brim is a flood. */
export class ChangeFlood {
  private level = 0;
  private countedAt = 0;

  /**
   * @param count how many changes came together
   * @param now milliseconds, never less than before
   * @returns whether there are more than 200 a second, and 50 on top
   */
  count(count: number, now: number): boolean {
    const leaked = (now - this.countedAt) * STEADY_PER_MS;
    this.countedAt = now;
    this.level = Math.min(MOST, Math.max(0, this.level - leaked) + count);
    return this.level > BURST;
  }
}
