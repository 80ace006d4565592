import { beforeEach, expect, it } from 'vitest';
import { ConnectDeadline } from '../../../../lib/grpc/connection/connect-deadline.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

const TIMEOUT_MS = 5_000;

let clock: FakeClock;
let canBreakOff: boolean;
let done: string[];

beforeEach(() => {
  clock = new FakeClock();
  canBreakOff = false;
  done = [];
});

function create(random = 1): ConnectDeadline {
  return new ConnectDeadline(
    { clock, random: () => random },
    {
      breakOff: () => {
        done.push('break off');
        return canBreakOff;
      },
      abandon: () => done.push('abandon'),
      dial: () => done.push('dial'),
    },
  );
}

/** Lets an attempt pass its deadline, and returns the delay before the next one. */
function abandonOne(deadline: ConnectDeadline): number | undefined {
  deadline.start(TIMEOUT_MS);
  clock.advance(TIMEOUT_MS);
  const delayMs = clock.nextTimerMs;
  clock.advance(delayMs ?? 0);
  return delayMs;
}

it('the delay before the attempt after an abandoned one doubles from 1 s to 30 s', () => {
  const deadline = create();
  const delays = Array.from({ length: 7 }, () => abandonOne(deadline));
  expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect(done.slice(0, 3)).toEqual(['break off', 'abandon', 'dial']);
});

it('the delay before the attempt after an abandoned one is at least 500 ms', () => {
  expect(abandonOne(create(0))).toBe(500);
});

it('the delays begin anew once the deadline has forgotten the abandoned attempts', () => {
  const deadline = create();
  for (let attempt = 0; attempt < 3; attempt++) abandonOne(deadline);
  deadline.forget();
  expect(abandonOne(deadline)).toBe(1_000);
});

it('an attempt has one deadline, which a new attempt starts again', () => {
  const deadline = create();
  deadline.start(TIMEOUT_MS);
  clock.advance(TIMEOUT_MS - 1);
  deadline.start(TIMEOUT_MS);
  expect(clock.pendingTimers).toBe(1);
  clock.advance(TIMEOUT_MS - 1);
  expect(done).toEqual([]);
  clock.advance(1);
  expect(done).toEqual(['break off', 'abandon']);
});

it('stop() ends the deadline of an attempt, and the delay after an abandoned one', () => {
  const deadline = create();
  deadline.start(TIMEOUT_MS);
  deadline.stop();
  expect(clock.pendingTimers).toBe(0);
  deadline.start(TIMEOUT_MS);
  clock.advance(TIMEOUT_MS);
  deadline.stop();
  clock.advance(60_000);
  expect(done).toEqual(['break off', 'abandon']);
});

it('an attempt that the deadline has broken off is neither abandoned nor dialled again', () => {
  canBreakOff = true;
  const deadline = create();
  deadline.start(TIMEOUT_MS);
  clock.advance(TIMEOUT_MS);
  expect([done, clock.pendingTimers]).toEqual([['break off'], 0]);
});

it('the deadline says once that it has broken an attempt off, and only then', () => {
  const deadline = create();
  expect(deadline.takeBrokenOff()).toBe(false);
  abandonOne(deadline);
  expect(deadline.takeBrokenOff()).toBe(false);
  canBreakOff = true;
  abandonOne(deadline);
  expect([deadline.takeBrokenOff(), deadline.takeBrokenOff()]).toEqual([true, false]);
});

it('the deadline does not say that it has broken an attempt off after forget()', () => {
  canBreakOff = true;
  const deadline = create();
  abandonOne(deadline);
  deadline.forget();
  expect(deadline.takeBrokenOff()).toBe(false);
});
