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

it('a watch asks about its service, and reports every answer', () => {
  expect(transport.health?.service).toBe('user.User');
  for (const serving of [1, 2, 0]) transport.health?.onAnswer(serving);
  expect(heard).toEqual([
    [true, "the server's health status is 1"],
    [false, "the server's health status is 2"],
    [false, "the server's health status is 0"],
  ]);
});

it('a server without the health service is healthy, and is not asked again', () => {
  transport.health?.onEnd('UNIMPLEMENTED', 'unknown service');
  expect(heard).toEqual([[true, 'the server has no health service']]);
  expect(clock.pendingTimers).toBe(0);
});

it('a watch that ends means not healthy, and follows again after a growing delay', () => {
  const delays: (number | undefined)[] = [];
  for (let end = 0; end < 9; end++) {
    transport.health?.onEnd('UNAVAILABLE', 'gone');
    delays.push(clock.nextTimerMs);
    clock.advance(clock.nextTimerMs ?? 0);
  }
  // Half of 1 s, doubled each time, and 120 s at most.
  expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  expect(heard[0]).toEqual([false, 'the health watch ended with UNAVAILABLE: gone']);
  expect(heard).toHaveLength(9);
});

it('no delay is shorter than 200 ms', () => {
  watch.stop();
  watch = new HealthWatch(transport, '', { clock, random: () => 0 }, () => {});
  transport.health?.onEnd('UNAVAILABLE', 'gone');
  expect(clock.nextTimerMs).toBe(200);
});

it('an answer ends the growth of the delay', () => {
  for (let end = 0; end < 4; end++) {
    transport.health?.onEnd('UNAVAILABLE', 'gone');
    clock.advance(clock.nextTimerMs ?? 0);
  }
  transport.health?.onAnswer(1);
  transport.health?.onEnd('UNAVAILABLE', 'gone');
  expect(clock.nextTimerMs).toBe(500);
});

it('a watch that has stopped ends its call, and reports nothing more', () => {
  const { health } = transport;
  watch.stop();
  expect(transport.health).toBeUndefined();
  health?.onAnswer(1);
  health?.onEnd('UNAVAILABLE', 'gone');
  expect([heard, clock.pendingTimers]).toEqual([[], 0]);
});

it('a watch that stops between two calls makes no further one', () => {
  transport.health?.onEnd('UNAVAILABLE', 'gone');
  transport.health = undefined;
  watch.stop();
  clock.advance(600_000);
  expect([transport.health, clock.pendingTimers]).toEqual([undefined, 0]);
});
