import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { abortableDelay } from '../../../../lib/nest/shutdown/abortable-delay.js';
import { ForceSignal } from '../../../../lib/nest/shutdown/force-signal.js';

/** A part of a shutdown, which a test ends; `afterEach` ends the others. */
interface Part {
  readonly end: () => void;
  readonly done: Promise<void>;
}

let forced: string[];
let force: ForceSignal;
let before: number;
let parts: Part[];
const shutdownHook = (): void => {};

beforeEach(() => {
  vi.useFakeTimers();
  forced = [];
  parts = [];
  force = new ForceSignal((signal) => forced.push(signal));
  // Nest's shutdown hooks add such a listener; without one the signal would end this process.
  process.on('SIGTERM', shutdownHook);
  before = process.listenerCount('SIGTERM');
});
afterEach(async () => {
  for (const { end } of parts) end();
  await Promise.all(parts.map(({ done }) => done));
  process.off('SIGTERM', shutdownHook);
  vi.useRealTimers();
});

const listens = (): boolean => process.listenerCount('SIGTERM') > before;

function part(): Part {
  const ends: (() => void)[] = [];
  const done = force.during(new Promise<void>((resolve) => ends.push(resolve)));
  const made = { end: () => ends[0]?.(), done };
  parts.push(made);
  return made;
}

describe('a signal during a shutdown', () => {
  it('forces the shutdown once, even if more signals follow', () => {
    force.begin();
    void part();
    vi.advanceTimersByTime(100);
    expect(force.signal.aborted).toBe(false);
    process.emit('SIGTERM', 'SIGTERM');
    expect([forced, force.signal.aborted, listens()]).toEqual([['SIGTERM'], true, false]);
    process.emit('SIGTERM', 'SIGTERM');
    expect(forced).toEqual(['SIGTERM']);
  });

  it('counts as the one that began the shutdown if it comes within 100 ms', () => {
    force.begin();
    void part();
    vi.advanceTimersByTime(99);
    process.emit('SIGTERM', 'SIGTERM');
    expect([forced, force.signal.aborted, listens()]).toEqual([[], false, true]);
  });

  it('is listened for while any part of the shutdown is under way', async () => {
    const [one, other] = [part(), part()];
    expect(listens()).toBe(true);
    one.end();
    await one.done;
    expect(listens()).toBe(true);
    other.end();
    await other.done;
    expect(listens()).toBe(false);
    // Parts may have a gap between them.
    const last = part();
    expect(listens()).toBe(true);
    last.end();
    await last.done;
  });

  it('forces the shutdown even right after a later part of the shutdown began: an echo follows only the first part', async () => {
    force.begin();
    const first = part();
    vi.advanceTimersByTime(1_000);
    force.begin();
    process.emit('SIGTERM', 'SIGTERM');
    expect(forced).toEqual(['SIGTERM']);
    first.end();
    await first.done;
  });

  it('is not listened for any more once the shutdown is forced', async () => {
    force.begin();
    const first = part();
    vi.advanceTimersByTime(1_000);
    process.emit('SIGTERM', 'SIGTERM');
    first.end();
    await first.done;
    void part();
    expect(listens()).toBe(false);
  });

  it('sets the exit code if the process has no other listener for it', () => {
    const exitCode = process.exitCode;
    process.off('SIGTERM', shutdownHook);
    force.begin();
    void part();
    vi.advanceTimersByTime(1_000);
    process.emit('SIGTERM', 'SIGTERM');
    expect(process.exitCode).toBe(1);
    process.exitCode = exitCode;
    process.on('SIGTERM', shutdownHook);
  });

  it('does not change the exit code if a shutdown hook listens for it', () => {
    const exitCode = process.exitCode;
    force.begin();
    void part();
    vi.advanceTimersByTime(1_000);
    process.emit('SIGTERM', 'SIGTERM');
    expect(process.exitCode).toBe(exitCode);
  });
});

describe('during', () => {
  it('settles as the given part of the shutdown does, also with an error', async () => {
    await expect(force.during(Promise.resolve(7))).resolves.toBe(7);
    await expect(force.during(Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(listens()).toBe(false);
  });
});

/** Begins a shutdown and forces it. */
function forceIt(): void {
  force.begin();
  void part();
  vi.advanceTimersByTime(1_000);
  process.emit('SIGTERM', 'SIGTERM');
}

describe('unlessForced', () => {
  const endless = new Promise<void>(() => {});

  it('resolves when the work is done', async () => {
    await expect(force.unlessForced(Promise.resolve())).resolves.toBeUndefined();
  });

  it('resolves when the shutdown is forced, even if the work is not done', async () => {
    const end = force.unlessForced(endless);
    forceIt();
    await expect(end).resolves.toBeUndefined();
  });

  it('leaves no listener when the work is done, and any number of works may wait', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const works = Array.from({ length: 20 }, () => force.unlessForced(Promise.resolve()));
    expect(getEventListeners(force.signal, 'abort')).toHaveLength(20);
    await Promise.all(works);
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
    expect(getEventListeners(force.signal, 'abort')).toHaveLength(0);
  });

  it('fails as the work does', async () => {
    await expect(force.unlessForced(Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('resolves at once if the shutdown was forced before', async () => {
    forceIt();
    await expect(force.unlessForced(endless)).resolves.toBeUndefined();
  });
});

describe('abortableDelay', () => {
  let isOver: boolean;
  const begin = async (delayMs: number, signal: AbortSignal): Promise<void> => {
    isOver = false;
    void abortableDelay(delayMs, signal).then(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(0);
  };

  it('resolves after the given time', async () => {
    await begin(500, force.signal);
    await vi.advanceTimersByTimeAsync(499);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(isOver).toBe(true);
  });

  it.each([
    [-Infinity, 0],
    [0, 0],
    [1, 1],
  ])('of %d ms needs %d timers', (delayMs, timers) => {
    void abortableDelay(delayMs, force.signal);
    expect(vi.getTimerCount()).toBe(timers);
  });

  it('leaves no listener at the signal when the time is over', async () => {
    await begin(500, force.signal);
    expect(getEventListeners(force.signal, 'abort')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(500);
    expect(getEventListeners(force.signal, 'abort')).toHaveLength(0);
  });

  it.each([0, -1, -Infinity])('resolves at once for %d ms', async (delayMs) => {
    await begin(delayMs, force.signal);
    expect([isOver, vi.getTimerCount()]).toEqual([true, 0]);
  });

  it('resolves when the signal is aborted, and leaves no timer', async () => {
    const controller = new AbortController();
    await begin(500, controller.signal);
    controller.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect([isOver, vi.getTimerCount()]).toEqual([true, 0]);
    await begin(500, controller.signal);
    expect([isOver, vi.getTimerCount()]).toEqual([true, 0]);
  });
});
