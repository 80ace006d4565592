import { getEventListeners } from 'node:events';
import { MemoryRegistry } from 'nestjs-grpc-discovery';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { closeRegistry } from '../../../../lib/nest/shutdown/close-registry.js';

/** A registry whose close resolves when a test allows it. */
class SlowRegistry extends MemoryRegistry {
  hurry: AbortSignal | undefined;
  end: () => void = () => {};

  override close(hurry?: AbortSignal): Promise<void> {
    this.hurry = hurry;
    return new Promise((resolve) => {
      this.end = resolve;
    });
  }
}

let registry: SlowRegistry;
let force: AbortController;
let isClosed: boolean;
beforeEach(() => {
  vi.useFakeTimers();
  registry = new SlowRegistry();
  force = new AbortController();
  isClosed = false;
});
afterEach(() => {
  vi.useRealTimers();
});

function close(): void {
  void closeRegistry(registry, force.signal).then(() => (isClosed = true));
}

it('a shutdown waits until the registry is closed, and leaves no timer', async () => {
  close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(isClosed).toBe(false);
  registry.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(isClosed).toBe(true);
  force.abort();
  expect(vi.getTimerCount()).toBe(0);
});

it.each(['before', 'after'])(
  'a shutdown that is forced %s the registry began to close waits 250 ms for it',
  async (when) => {
    if (when === 'before') force.abort();
    close();
    force.abort();
    await vi.advanceTimersByTimeAsync(249);
    expect(isClosed).toBe(false);
    expect(registry.hurry?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(registry.hurry?.aborted).toBe(true);
    expect(isClosed).toBe(true);
  },
);

it('a shutdown leaves no listener at its signal, also if the registry cannot be closed', async () => {
  close();
  expect(getEventListeners(force.signal, 'abort')).toHaveLength(1);
  registry.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(getEventListeners(force.signal, 'abort')).toHaveLength(0);
  vi.spyOn(registry, 'close').mockRejectedValue(new Error('broken'));
  await expect(closeRegistry(registry, force.signal)).rejects.toThrow('broken');
  expect(getEventListeners(force.signal, 'abort')).toHaveLength(0);
});

it('a forced shutdown ends as soon as the registry is closed', async () => {
  close();
  force.abort();
  registry.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(isClosed).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
