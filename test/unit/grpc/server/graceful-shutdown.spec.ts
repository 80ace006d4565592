import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { CallTracker } from '../../../../lib/grpc/server/call-tracker.js';
import { shutDownGracefully } from '../../../../lib/grpc/server/graceful-shutdown.js';

const TIMEOUT_MS = 10_000;

let steps: string[];
let closed: () => void;
let force: AbortController;
/** How many calls are under way; health watches do not count. */
let open: number;

beforeEach(() => {
  vi.useFakeTimers();
  steps = [];
  closed = () => {};
  force = new AbortController();
  open = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

function shutDown(): { ended: number | undefined } {
  const server = {
    tryShutdown: (done: () => void) => {
      steps.push('GOAWAY');
      closed = done;
      if (open === 0) done();
    },
    forceShutdown: () => steps.push('closed by force'),
    sessions: new Map([[{ destroy: () => steps.push('connection dropped') }, {}]]),
  };
  const calls = {
    end: (_details: string, path?: string) => {
      steps.push(`ended ${path ?? 'all'}`);
      return path === undefined ? open : 0;
    },
  } as unknown as CallTracker;
  const result: { ended: number | undefined } = { ended: undefined };
  void shutDownGracefully({
    server: server as never,
    calls,
    timeoutMs: TIMEOUT_MS,
    force: force.signal,
  }).then((ended) => (result.ended = ended));
  return result;
}

const WATCHES = 'ended /grpc.health.v1.Health/Watch';

it('the shutdown ends health watches, and closes a server without other calls at once', async () => {
  const result = shutDown();
  await vi.advanceTimersByTimeAsync(0);
  expect(result.ended).toBe(0);
  expect(steps).toEqual(['GOAWAY', WATCHES, 'closed by force']);
  expect(vi.getTimerCount()).toBe(0);
});

it('the shutdown waits for calls that finish in time', async () => {
  open = 1;
  const result = shutDown();
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
  expect(result.ended).toBeUndefined();
  closed();
  await vi.advanceTimersByTimeAsync(0);
  expect(result.ended).toBe(0);
  expect(steps).toEqual(['GOAWAY', WATCHES, 'closed by force']);
});

it('the shutdown ends calls that do not finish in time, and waits 750 ms until their statuses are sent', async () => {
  open = 3;
  const result = shutDown();
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
  expect(steps).toEqual(['GOAWAY', WATCHES, 'ended all']);
  await vi.advanceTimersByTimeAsync(749);
  expect(result.ended).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(result.ended).toBe(3);
  expect(steps.slice(3)).toEqual(['connection dropped', 'closed by force']);
  expect(vi.getTimerCount()).toBe(0);
});

it('the shutdown drops no connection if the statuses of ended calls are sent in time', async () => {
  open = 3;
  const result = shutDown();
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS + 100);
  closed();
  await vi.advanceTimersByTimeAsync(0);
  expect(result.ended).toBe(3);
  expect(steps).toEqual(['GOAWAY', WATCHES, 'ended all', 'closed by force']);
});

it('the shutdown listens to the force signal only while it waits for calls', async () => {
  open = 1;
  shutDown();
  expect(getEventListeners(force.signal, 'abort')).toHaveLength(1);
  closed();
  await vi.advanceTimersByTimeAsync(0);
  expect(getEventListeners(force.signal, 'abort')).toEqual([]);
});

it.each([
  ['before the shutdown', 0],
  ['during the shutdown', 1_000],
])('a force signal %s ends the wait for calls', async (_, afterMs) => {
  open = 1;
  if (afterMs === 0) force.abort();
  const result = shutDown();
  await vi.advanceTimersByTimeAsync(afterMs);
  if (afterMs > 0) expect(steps).not.toContain('ended all');
  force.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(steps).toContain('ended all');
  await vi.advanceTimersByTimeAsync(750);
  expect(result.ended).toBe(1);
});
