import { beforeEach, describe, expect, it } from 'vitest';
import { ConnectDeadline } from '../../../../lib/grpc/connection/connect-deadline.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

const TIMEOUT_MS = 5_000;

let clock: FakeClock;
/** What the deadline did with its connection, in order. */
let actions: string[];
let canBreakOff: boolean;
let drawn: number;
let deadline: ConnectDeadline;

beforeEach(() => {
  clock = new FakeClock();
  actions = [];
  canBreakOff = true;
  drawn = 1;
  deadline = new ConnectDeadline(
    { clock, random: () => drawn },
    {
      breakOff: () => {
        actions.push('break off');
        return canBreakOff;
      },
      abandon: () => actions.push('abandon'),
      dial: () => {
        actions.push('dial');
        deadline.start(TIMEOUT_MS);
      },
    },
  );
});

/** Lets an attempt pass its deadline, and returns the delay before the next attempt. */
function abandonOne(): number | undefined {
  clock.advance(TIMEOUT_MS);
  return clock.nextTimerMs;
}

describe('the deadline of an attempt', () => {
  it('breaks the attempt off when the time has passed, and not before', () => {
    deadline.start(TIMEOUT_MS);
    clock.advance(TIMEOUT_MS - 1);
    expect(actions).toEqual([]);
    clock.advance(1);
    expect([actions, clock.pendingTimers]).toEqual([['break off'], 0]);
  });

  it('begins anew with each start', () => {
    deadline.start(TIMEOUT_MS);
    clock.advance(TIMEOUT_MS - 1);
    deadline.start(TIMEOUT_MS);
    expect([clock.pendingTimers, clock.nextTimerMs]).toEqual([1, TIMEOUT_MS]);
  });

  it('has no timer after stop', () => {
    deadline.start(TIMEOUT_MS);
    deadline.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('an attempt that the transport cannot break off', () => {
  beforeEach(() => {
    canBreakOff = false;
    deadline.start(TIMEOUT_MS);
  });

  it('is abandoned, and another attempt begins after a delay', () => {
    expect(abandonOne()).toBe(1_000);
    expect(actions).toEqual(['break off', 'abandon']);
    clock.advance(1_000);
    expect(actions).toEqual(['break off', 'abandon', 'dial']);
  });

  it('is followed by no other attempt after stop', () => {
    abandonOne();
    deadline.stop();
    clock.advance(60_000);
    expect(actions).toEqual(['break off', 'abandon']);
  });

  it.each([
    [1, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]],
    [0.5, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]],
    [0, [500, 500, 500, 500, 500, 500, 500]],
  ])('is followed, if the random number is %d, by delays of %j ms', (random, expected) => {
    drawn = random;
    const delays = expected.map(() => {
      const delayMs = abandonOne();
      clock.advance(delayMs ?? 0);
      return delayMs;
    });
    expect(delays).toEqual(expected);
  });

  it('is followed by the first delay again after forget', () => {
    clock.advance(abandonOne() ?? 0);
    clock.advance(abandonOne() ?? 0);
    deadline.forget();
    expect(abandonOne()).toBe(1_000);
  });
});

describe('takeBrokenOff', () => {
  it('returns true once after the deadline has broken an attempt off', () => {
    expect(deadline.takeBrokenOff()).toBe(false);
    deadline.start(TIMEOUT_MS);
    clock.advance(TIMEOUT_MS);
    expect(deadline.takeBrokenOff()).toBe(true);
    expect(deadline.takeBrokenOff()).toBe(false);
  });

  it('returns false after forget, and for an abandoned attempt', () => {
    deadline.start(TIMEOUT_MS);
    clock.advance(TIMEOUT_MS);
    deadline.forget();
    expect(deadline.takeBrokenOff()).toBe(false);
    canBreakOff = false;
    deadline.start(TIMEOUT_MS);
    clock.advance(TIMEOUT_MS);
    expect(deadline.takeBrokenOff()).toBe(false);
  });
});
