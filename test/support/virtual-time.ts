/** A clock that jumps from one due timer to the next: for simulations of thousands of processes. */
import type { Clock } from '../../lib/core/clock.js';

interface Due {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** A clock, and the queue of the timers that are due on it. */
export class VirtualTime implements Clock {
  private readonly heap: Due[] = [];
  private order = 0;
  private nowMs = 0;
  /** True: a promise was settled in this turn, and its continuations still have to run. */
  private promised = false;

  now(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, run: () => void): () => void {
    const due: Due = { at: this.nowMs + delayMs, order: this.order++, run };
    this.push(due);
    return () => {
      due.run = undefined;
    };
  }

  /**
   * Call it after each promise that is settled and that other code awaits: that code then runs before the
   * next timer.
   */
  settled(): void {
    this.promised = true;
  }

  /** Runs every timer that is due until `endMs`. */
  async passUntil(endMs: number): Promise<void> {
    for (let next = this.heap[0]; next !== undefined && next.at <= endMs; next = this.heap[0]) {
      this.pop();
      this.nowMs = next.at;
      next.run?.();
      if (!this.promised) continue;
      this.promised = false;
      for (let turn = 0; turn < 6; turn++) await undefined;
    }
    this.nowMs = endMs;
  }

  private push(due: Due): void {
    const { heap } = this;
    let index = heap.push(due) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.precedes(index, parent)) break;
      this.swap(index, parent);
      index = parent;
    }
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let index = 0; ;) {
      let child = 2 * index + 1;
      if (child >= heap.length) return;
      if (child + 1 < heap.length && this.precedes(child + 1, child)) child++;
      if (!this.precedes(child, index)) return;
      this.swap(child, index);
      index = child;
    }
  }

  private precedes(left: number, right: number): boolean {
    const [one, other] = [this.heap[left], this.heap[right]];
    if (one === undefined || other === undefined) return false;
    return one.at < other.at || (one.at === other.at && one.order < other.order);
  }

  private swap(left: number, right: number): void {
    const { heap } = this;
    const kept = heap[left] as Due;
    heap[left] = heap[right] as Due;
    heap[right] = kept;
  }
}
