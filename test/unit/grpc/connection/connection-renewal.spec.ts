import { beforeEach, describe, expect, it } from 'vitest';
import { ConnectionRenewal } from '../../../../lib/grpc/connection/connection-renewal.js';
import type { TransportState } from '../../../../lib/grpc/connection/transport.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { FakeTransport } from './fake-transport.js';

const AGE_MS = 60_000;
/** The time from a schedule to its replacement, if 0.5 is drawn. */
const DELAY_MS = 30_000;

let clock: FakeClock;
let made: FakeTransport[];
/** The state of the transports that are made next. */
let initial: TransportState;
let drawn: number;
/** The replacements that can take calls. */
let ready: unknown[];
let renewal: ConnectionRenewal;

const last = (): FakeTransport => made.at(-1)!;

beforeEach(() => {
  clock = new FakeClock();
  made = [];
  initial = 'idle';
  drawn = 0.5;
  ready = [];
  renewal = new ConnectionRenewal(
    { clock, random: () => drawn },
    () => {
      made.push(new FakeTransport(initial));
      return last();
    },
    (replacement) => ready.push(replacement),
  );
});

describe('a replacement', () => {
  it.each([
    [0, 24_000],
    [0.5, 30_000],
    [1, 36_000],
  ])('is dialled, if the random number is %d, after %i of 60,000 ms', (random, delayMs) => {
    drawn = random;
    renewal.schedule(AGE_MS);
    expect(clock.nextTimerMs).toBeCloseTo(delayMs, 6);
    clock.advance(delayMs - 1);
    expect(made).toHaveLength(0);
    clock.advance(2);
    expect([made.length, last().connects, last().state]).toEqual([1, 1, 'connecting']);
    expect(ready).toEqual([]);
  });

  it('is passed on once, when it is ready, and is then not released by its renewal', () => {
    renewal.schedule(AGE_MS);
    clock.advance(DELAY_MS);
    last().become('connecting');
    expect(ready).toEqual([]);
    last().become('ready');
    renewal.stop();
    last().become('idle');
    last().become('ready');
    expect(ready).toEqual([last()]);
    expect([last().isReleased, clock.pendingTimers]).toEqual([false, 0]);
  });

  it('is passed on at once, and is not dialled, if another channel has connected it', () => {
    initial = 'ready';
    renewal.schedule(AGE_MS);
    clock.advance(DELAY_MS);
    expect([ready, last().connects]).toEqual([[last()], 0]);
  });

  it.each(['failed', 'idle'] as const)(
    'that becomes %s is released, and another one follows after the same time',
    (state) => {
      renewal.schedule(AGE_MS);
      clock.advance(DELAY_MS);
      last().become(state);
      expect([last().isReleased, clock.nextTimerMs]).toEqual([true, DELAY_MS]);
      clock.advance(DELAY_MS);
      expect([made.length, last().connects]).toEqual([2, 1]);
      last().become('ready');
      expect(ready).toEqual([last()]);
    },
  );

  it('is planned once: a new schedule replaces the earlier one, and releases its replacement', () => {
    renewal.schedule(AGE_MS);
    renewal.schedule(AGE_MS);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(DELAY_MS);
    renewal.schedule(AGE_MS);
    expect([made.length, last().isReleased, clock.pendingTimers]).toEqual([1, true, 1]);
  });
});

describe('stop', () => {
  it('ends the wait for a replacement', () => {
    renewal.schedule(AGE_MS);
    renewal.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('releases a replacement that is being connected', () => {
    renewal.schedule(AGE_MS);
    clock.advance(DELAY_MS);
    renewal.stop();
    expect(last().isReleased).toBe(true);
    last().become('ready');
    expect(ready).toEqual([]);
  });
});
