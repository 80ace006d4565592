import { beforeEach, expect, it } from 'vitest';
import { HealthWatch } from '../../../../lib/grpc/connection/health-watch.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { FakeTransport } from './fake-transport.js';

let clock: FakeClock;
let transport: FakeTransport;
let heard: [healthy: boolean, detail: string][];
let watch: HealthWatch;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport('ready');
  heard = [];
  watch = new HealthWatch(transport, 'user.User', { clock, random: () => 0.5 }, (...what) =>
    heard.push(what),
  );
});

it('the health watch asks about its service, and reports every answer', () => {
  expect(transport.health?.service).toBe('user.User');
  for (const serving of [1, 2, 0]) transport.health?.onAnswer(serving);
  expect(heard).toEqual([
    [true, "the server's health status is 1"],
    [false, "the server's health status is 2"],
    [false, "the server's health status is 0"],
  ]);
});

it('the health watch reports a server without the health service as healthy, and does not ask again', () => {
  transport.health?.onEnd('UNIMPLEMENTED', 'unknown service');
  expect(heard).toEqual([[true, 'the server has no health service']]);
  expect(clock.pendingTimers).toBe(0);
});

it('the health watch reports a broken call as unhealthy, and calls again after a growing delay', () => {
  const delays: (number | undefined)[] = [];
  for (let end = 0; end < 9; end++) {
    transport.health?.onEnd('UNAVAILABLE', 'gone');
    delays.push(clock.nextTimerMs);
    clock.advance(clock.nextTimerMs ?? 0);
  }
  // The delays are half of the backoff, which begins with 1 s and doubles up to 120 s.
  expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  expect(heard[0]).toEqual([false, 'the health watch ended with UNAVAILABLE: gone']);
  expect(heard).toHaveLength(9);
});

it('the delay before another health call is at least 200 ms', () => {
  watch.stop();
  watch = new HealthWatch(transport, '', { clock, random: () => 0 }, () => {});
  transport.health?.onEnd('UNAVAILABLE', 'gone');
  expect(clock.nextTimerMs).toBe(200);
});

it('the delay before another health call starts anew after an answer', () => {
  for (let end = 0; end < 4; end++) {
    transport.health?.onEnd('UNAVAILABLE', 'gone');
    clock.advance(clock.nextTimerMs ?? 0);
  }
  transport.health?.onAnswer(1);
  transport.health?.onEnd('UNAVAILABLE', 'gone');
  expect(clock.nextTimerMs).toBe(500);
});

it('a stopped health watch ends its call, and reports nothing more', () => {
  const { health } = transport;
  watch.stop();
  expect(transport.health).toBeUndefined();
  health?.onAnswer(1);
  health?.onEnd('UNAVAILABLE', 'gone');
  expect([heard, clock.pendingTimers]).toEqual([[], 0]);
});

it('a health watch that stops between two calls makes no further call', () => {
  transport.health?.onEnd('UNAVAILABLE', 'gone');
  transport.health = undefined;
  watch.stop();
  clock.advance(600_000);
  expect([transport.health, clock.pendingTimers]).toEqual([undefined, 0]);
});
