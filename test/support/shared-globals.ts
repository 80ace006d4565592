/**
 * A setup file of vitest. Several spec files run in one process, one after the other. A file that leaves a
 * clock, the random source or the environment changed could make a later file fail, so it fails itself.
 */
import { afterAll, expect } from 'vitest';

/** What specs replace, as it is now. */
function sharedGlobals(): Record<string, unknown> {
  const { setTimeout, clearTimeout, setInterval, setImmediate, queueMicrotask, Date } = globalThis;
  return {
    setTimeout,
    clearTimeout,
    setInterval,
    setImmediate,
    queueMicrotask,
    Date,
    'performance.now': performance.now,
    'Math.random': Math.random,
    'process.nextTick': process.nextTick,
    'process.env': JSON.stringify(process.env),
  };
}

const before = sharedGlobals();

afterAll(() => {
  const after = sharedGlobals();
  const changed = Object.keys(before).filter((name) => before[name] !== after[name]);
  expect(changed, 'globals that this file has left changed').toEqual([]);
});
