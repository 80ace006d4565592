import { EventEmitter } from 'node:events';
import type { Server } from '@grpc/grpc-js';
import { beforeEach, expect, it } from 'vitest';
import type { CallTracker } from '../../../../lib/grpc/server/call-tracker.js';
import { limitConnectionAge } from '../../../../lib/grpc/server/connection-age.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

/** The session of one connection to an HTTP/2 server. */
class FakeSession extends EventEmitter {
  closed = false;
  destroyed = false;
  closes = 0;

  close(): void {
    this.closed = true;
    this.closes++;
  }
}

let clock: FakeClock;
let http2Server: EventEmitter;
let ended: { session: unknown; details: string; atMs: number }[];
let random: number;

beforeEach(() => {
  clock = new FakeClock();
  http2Server = new EventEmitter();
  ended = [];
  random = 0.5;
  const calls = {
    endOf: (session: unknown, details: string) =>
      ended.push({ session, details, atMs: clock.now() }),
  } as unknown as CallTracker;
  const server = { http2Servers: new Map([[http2Server, {}]]) } as unknown as Server;
  limitConnectionAge(server, calls, { maxAgeMs: 1_000, graceMs: 300 }, clock, () => random);
});

function connect(): FakeSession {
  const session = new FakeSession();
  http2Server.emit('session', session);
  return session;
}

it.each([
  [0, 900],
  [0.5, 1_000],
  [0.999_999, 1_100],
])(
  'the server closes a connection at its age, spread by ±10 %% (random number %d: %i ms)',
  (draw, ageMs) => {
    random = draw;
    const session = connect();
    clock.advance(ageMs - 1);
    expect(session.closes).toBe(0);
    clock.advance(1);
    expect(session.closes).toBe(1);
  },
);

it('calls of the closed connection that are under way after the grace period are ended', () => {
  const session = connect();
  clock.advance(1_299);
  expect(ended).toEqual([]);
  clock.advance(1);
  expect(ended).toMatchObject([{ session, atMs: 1_300 }]);
  expect(ended[0]?.details).toContain('maximum age');
});

it('no calls are ended if the connection closes within the grace period', () => {
  const session = connect();
  clock.advance(1_000);
  session.emit('close');
  expect(clock.pendingTimers).toBe(0);
  clock.advance(1_000);
  expect(ended).toEqual([]);
});

it('a connection that closes before its age leaves no timer', () => {
  connect().emit('close');
  expect(clock.pendingTimers).toBe(0);
});

it.each(['closed', 'destroyed'] as const)(
  'the server does not close a connection that is %s already',
  (state) => {
    const session = connect();
    session[state] = true;
    clock.advance(5_000);
    expect([session.closes, ended.length]).toEqual([0, 0]);
  },
);

it('the age of a connection counts from its own start', () => {
  const first = connect();
  clock.advance(600);
  const second = connect();
  clock.advance(400);
  expect([first.closes, second.closes]).toEqual([1, 0]);
});
