import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { abortableDelay } from '../../../../lib/nest/shutdown/abortable-delay.js';
import { ForceSignal } from '../../../../lib/nest/shutdown/force-signal.js';

/** A part of a shutdown; it ends with its test at the latest. */
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
  // As with shutdown hooks: otherwise the signal would end this process.
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
  it('forces it once, whatever comes after', () => {
    force.begin();
    void part();
    vi.advanceTimersByTime(100);
    expect(force.signal.aborted).toBe(false);
    process.emit('SIGTERM', 'SIGTERM');
    expect([forced, force.signal.aborted, listens()]).toEqual([['SIGTERM'], true, false]);
    process.emit('SIGTERM', 'SIGTERM');
    expect(forced).toEqual(['SIGTERM']);
  });

  it('within 100 ms of its beginning is the one that began it', () => {
    force.begin();
    void part();
    vi.advanceTimersByTime(99);
    process.emit('SIGTERM', 'SIGTERM');
    expect([forced, force.signal.aborted, listens()]).toEqual([[], false, true]);
  });

  it('is listened for while any part is under way', async () => {
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

  it('is not an echo of a later part: the beginning counts once', async () => {
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

  it('sets the exit code where nothing else listens to it', () => {
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

  it('leaves the exit code alone where a shutdown hook listens', () => {
    const exitCode = process.exitCode;
    force.begin();
    void part();
    vi.advanceTimersByTime(1_000);
    process.emit('SIGTERM', 'SIGTERM');
    expect(process.exitCode).toBe(exitCode);
  });
});

describe('during', () => {
  it('has the result of its part, also a failure', async () => {
    await expect(force.during(Promise.resolve(7))).resolves.toBe(7);
    await expect(force.during(Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(listens()).toBe(false);
  });
});

/** Forces the shutdown. */
function forceIt(): void {
  force.begin();
  void part();
  vi.advanceTimersByTime(1_000);
  process.emit('SIGTERM', 'SIGTERM');
}

describe('unlessForced', () => {
  const endless = new Promise<void>(() => {});

  it('ends with its work', async () => {
    await expect(force.unlessForced(Promise.resolve())).resolves.toBeUndefined();
  });

  it('ends with the force', async () => {
    const end = force.unlessForced(endless);
    forceIt();
    await expect(end).resolves.toBeUndefined();
  });

  it('ends at once after it', async () => {
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

  it('lasts as long as it says', async () => {
    await begin(500, force.signal);
    await vi.advanceTimersByTimeAsync(499);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(isOver).toBe(true);
  });

  it.each([0, -1, -Infinity])('of %d ms is none', async (delayMs) => {
    await begin(delayMs, force.signal);
    expect([isOver, vi.getTimerCount()]).toEqual([true, 0]);
  });

  it('ends with the signal, and leaves no timer', async () => {
    const controller = new AbortController();
    await begin(500, controller.signal);
    controller.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect([isOver, vi.getTimerCount()]).toEqual([true, 0]);
    await begin(500, controller.signal);
    expect([isOver, vi.getTimerCount()]).toEqual([true, 0]);
  });
});
