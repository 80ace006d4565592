import { beforeEach, expect, it } from 'vitest';
import { ConnectionRenewal } from '../../../../lib/grpc/connection/connection-renewal.js';
import type { TransportState } from '../../../../lib/grpc/connection/transport.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { FakeTransport } from './fake-transport.js';

const AGE_MS = 60_000;

let clock: FakeClock;
let made: FakeTransport[];
let initial: TransportState;
let ready: unknown[];

beforeEach(() => {
  clock = new FakeClock();
  made = [];
  initial = 'idle';
  ready = [];
});

function create(random = 0): ConnectionRenewal {
  const dial = () => {
    const transport = new FakeTransport(initial);
    made.push(transport);
    return transport;
  };
  return new ConnectionRenewal({ clock, random: () => random }, dial, (one) => ready.push(one));
}

it.each([
  [0, 0.4],
  [0.5, 0.5],
  [1, 0.6],
])(
  'at the random number %d the replacement is dialled at a share of %d of the age',
  (random, share) => {
    create(random).schedule(AGE_MS);
    expect(clock.nextTimerMs).toBeCloseTo(share * AGE_MS, 6);
  },
);

it('a replacement is connected, and passed on once it is ready', () => {
  create().schedule(AGE_MS);
  clock.advance(0.4 * AGE_MS);
  expect([made.length, made[0]?.connects, made[0]?.state]).toEqual([1, 1, 'connecting']);
  expect(ready).toEqual([]);
  made[0]?.become('ready');
  expect(ready).toEqual(made);
  expect([made[0]?.isReleased, clock.pendingTimers]).toEqual([false, 0]);
});

it('a replacement that another channel has connected is passed on at once, without an attempt', () => {
  initial = 'ready';
  create().schedule(AGE_MS);
  clock.advance(0.4 * AGE_MS);
  expect(ready).toEqual(made);
  expect(made[0]?.connects).toBe(0);
});

it.each(['failed', 'idle'] as const)(
  'a replacement that becomes %s is released, and another one follows after the same share of the age',
  (state) => {
    create().schedule(AGE_MS);
    clock.advance(0.4 * AGE_MS);
    made[0]?.become(state);
    expect([made[0]?.isReleased, ready]).toEqual([true, []]);
    expect(clock.nextTimerMs).toBe(0.4 * AGE_MS);
    clock.advance(0.4 * AGE_MS);
    expect(made).toHaveLength(2);
  },
);

it('a new schedule takes the place of the one before', () => {
  const renewal = create();
  renewal.schedule(AGE_MS);
  renewal.schedule(2 * AGE_MS);
  expect([clock.pendingTimers, clock.nextTimerMs]).toEqual([1, 0.8 * AGE_MS]);
});

it('stop() makes no further replacement, and releases the one that is being connected', () => {
  const renewal = create();
  renewal.schedule(AGE_MS);
  renewal.stop();
  expect(clock.pendingTimers).toBe(0);
  renewal.schedule(AGE_MS);
  clock.advance(0.4 * AGE_MS);
  renewal.stop();
  expect([made[0]?.isReleased, clock.pendingTimers]).toEqual([true, 0]);
});

it('stop() leaves a replacement alone that was passed on', () => {
  const renewal = create();
  renewal.schedule(AGE_MS);
  clock.advance(0.4 * AGE_MS);
  made[0]?.become('ready');
  renewal.stop();
  expect(made[0]?.isReleased).toBe(false);
});
