import { beforeEach, describe, expect, it } from 'vitest';
import { Reachability } from '../../../../lib/etcd/connection/reachability.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

const gone = new Error('gone');
let clock: FakeClock;
let reachability: Reachability;
let probedAt: number[];
let returned: number[];
let isThere: boolean;

/** The time over which processes return after etcd was away for so long. */
const spreadMs = (awayMs: number): number => Math.min(10_000, 500 * 1.18 ** (awayMs / 1_000));

const settled = () => new Promise(setImmediate);

/** Lets time pass, a timer at a time. */
async function pass(durationMs: number): Promise<void> {
  const endMs = clock.now() + durationMs;
  for (let next = clock.nextTimerMs; next !== undefined && clock.now() + next <= endMs;) {
    clock.advance(next);
    await settled();
    next = clock.nextTimerMs;
  }
  clock.advance(endMs - clock.now());
}

beforeEach(() => {
  clock = new FakeClock(0);
  probedAt = [];
  returned = [];
  isThere = false;
  reachability = new Reachability({
    clock,
    random: () => 0.5,
    timings: { probeIntervalMs: 1_000, returnSpreadMs: 500 },
    probe: async () => {
      probedAt.push(clock.now());
      if (!isThere) {
        reachability.lost(gone);
        throw gone;
      }
      reachability.answered();
    },
  });
  reachability.back$.subscribe(() => returned.push(clock.now()));
});

describe('an etcd that is lost', () => {
  it('is looked for soon, and then once a second, while nothing is told', async () => {
    reachability.lost(gone);
    expect([reachability.isDown, reachability.failure]).toEqual([true, gone]);
    await pass(5_000);
    expect(probedAt).toEqual([100, 300, 700, 1_500, 2_500, 3_500, 4_500]);
    expect(returned).toEqual([]);
  });

  it('is told to be back within the spread once it answers', async () => {
    reachability.lost(gone);
    isThere = true;
    await pass(5_000);
    expect(probedAt).toEqual([100]);
    expect(returned).toEqual([100 + spreadMs(100) / 2]);
    expect(reachability.isDown).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it('and again soon after is looked for as rarely as before, until it was steady', async () => {
    const returnOnce = async () => {
      reachability.lost(gone);
      await pass(2_000);
      isThere = true;
      await pass(2_000);
      isThere = false;
      probedAt = [];
    };
    await returnOnce();
    const lostAt = clock.now();
    reachability.lost(gone);
    await pass(1_500);
    expect(probedAt.map((at) => at - lostAt)).toEqual([1_000]);
    isThere = true;
    await pass(20_000);
    probedAt = [];
    isThere = false;
    const laterAt = clock.now();
    reachability.lost(gone);
    await pass(400);
    expect(probedAt.map((at) => at - laterAt)).toEqual([100, 300]);
  });

  it('is returned to later the longer it was away, and the sooner it was lost again, up to 10 s', async () => {
    reachability.lost(gone);
    await pass(5_000);
    isThere = true;
    await pass(20_000);
    expect(returned[0]).toBeCloseTo(5_500 + spreadMs(5_500) / 2, 3);
    isThere = false;
    clock.advance(1_000);
    reachability.answered();
    const lostAt = clock.now();
    reachability.lost(gone);
    isThere = true;
    await pass(400);
    expect(returned[1]).toBeCloseTo(lostAt + 100 + spreadMs(100) / 2, 3);
    // Lost again at once: the next look comes after 200 ms, then after 400 ms.
    const relapsedAt = clock.now();
    reachability.lost(gone);
    await pass(200 + 2_000);
    const answeredAt = relapsedAt + 200;
    expect(returned[2]).toBeCloseTo(answeredAt + (4 * spreadMs(answeredAt - lostAt)) / 2, 3);
    reachability.lost(gone);
    const againAt = clock.now();
    await pass(400 + 5_000);
    expect(returned[3]).toBe(againAt + 400 + 5_000);
  });

  it.each([10_000, 20_000, 60_000, 3_600_000])(
    'is returned to within the time that it was away for, %i ms, asks for, however rarely it was looked for',
    async (awayMs) => {
      const lostAt = clock.now();
      reachability.lost(gone);
      clock.advance(awayMs);
      reachability.answered();
      await pass(11_000);
      expect(returned[0]).toBeCloseTo(lostAt + awayMs + spreadMs(awayMs) / 2, 3);
    },
  );

  it('is not looked for once nobody needs it', async () => {
    reachability.lost(gone);
    reachability.close();
    await pass(5_000);
    expect(probedAt).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

it('one that is doubted is silent and not down, until it answers', () => {
  reachability.doubt();
  expect([reachability.isSilent, reachability.isDown]).toEqual([true, false]);
  reachability.answered();
  expect([reachability.isSilent, clock.pendingTimers]).toEqual([false, 0]);
});

describe('one that is doubted since a moment', () => {
  it('is silent where it has not answered since then', () => {
    reachability.answered();
    clock.advance(1);
    reachability.doubt(clock.now());
    expect(reachability.isSilent).toBe(true);
  });

  it('is slow, and not silent, where it has answered something since then', () => {
    const since = clock.now();
    clock.advance(1);
    reachability.answered();
    reachability.doubt(since);
    expect(reachability.isSilent).toBe(false);
  });

  it('is not silent while the connection to it is being opened', () => {
    reachability.doubt(clock.now());
    expect(reachability.isSilent).toBe(false);
  });
});
