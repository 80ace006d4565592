/**
 * Keeps a steady rate to a tenth of a millisecond; timers of the event loop are exact to two milliseconds
 * only.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/**
 * Calls `onTick` `perSecond` times a second as long as the process lives. A thread of its own watches the
 * clock.
 */
export function pace(perSecond: number, onTick: () => void): void {
  const worker = new Worker(new URL(import.meta.url), { workerData: { perSecond } });
  worker.on('message', onTick);
}

function run(perSecond: number): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const startedMs = performance.now();
  for (let tick = 1; ; tick++) {
    const restMs = startedMs + (tick * 1_000) / perSecond - performance.now();
    if (restMs > 0) Atomics.wait(sleeper, 0, 0, restMs);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
    parentPort?.postMessage(tick);
  }
}

const { perSecond } = (workerData ?? {}) as { readonly perSecond?: number };
if (!isMainThread && perSecond !== undefined) run(perSecond);
