import { beforeEach, describe, expect, it } from 'vitest';
import { Reachability } from '../../../../lib/etcd/connection/reachability.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

const gone = new Error('gone');
let clock: FakeClock;
let reachability: Reachability;
let probedAt: number[];
let returned: number[];
let isThere: boolean;

/** The time over which processes return, by how long etcd was away. */
const spreadMs = (awayMs: number): number => Math.min(10_000, 500 * 1.18 ** (awayMs / 1_000));

const settled = () => new Promise(setImmediate);

/** Advances the clock, one timer at a time. */
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

describe('Reachability, while etcd is lost', () => {
  it('the first probe comes soon, later ones once a second, and back$ does not fire', async () => {
    reachability.lost(gone);
    expect([reachability.isDown, reachability.failure]).toEqual([true, gone]);
    await pass(5_000);
    expect(probedAt).toEqual([100, 300, 700, 1_500, 2_500, 3_500, 4_500]);
    expect(returned).toEqual([]);
  });

  it('back$ fires within the spread after etcd answers', async () => {
    reachability.lost(gone);
    isThere = true;
    await pass(5_000);
    expect(probedAt).toEqual([100]);
    expect(returned).toEqual([100 + spreadMs(100) / 2]);
    expect(reachability.isDown).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it('the delays between probes go on growing after a relapse, until etcd has answered for 10 s', async () => {
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

  it('the spread grows with the time away and with each relapse, up to 10 s', async () => {
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
    // Lost again at once: the next probe comes after 200 ms, then after 400 ms.
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
    'the spread after %i ms away does not depend on how rare the probes were',
    async (awayMs) => {
      const lostAt = clock.now();
      reachability.lost(gone);
      clock.advance(awayMs);
      reachability.answered();
      await pass(11_000);
      expect(returned[0]).toBeCloseTo(lostAt + awayMs + spreadMs(awayMs) / 2, 3);
    },
  );

  it('no probe is sent after close', async () => {
    reachability.lost(gone);
    reachability.close();
    await pass(5_000);
    expect(probedAt).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

it('doubt() sets isSilent and not isDown; the next answer of etcd resets isSilent', () => {
  reachability.doubt();
  expect([reachability.isSilent, reachability.isDown]).toEqual([true, false]);
  reachability.answered();
  expect([reachability.isSilent, clock.pendingTimers]).toEqual([false, 0]);
});

describe('doubt(sinceMs), for a request that began at a known moment,', () => {
  it('sets isSilent if etcd has not answered since that moment', () => {
    reachability.answered();
    clock.advance(1);
    reachability.doubt(clock.now());
    expect(reachability.isSilent).toBe(true);
  });

  it('has no effect if etcd has answered another request since that moment', () => {
    const since = clock.now();
    clock.advance(1);
    reachability.answered();
    reachability.doubt(since);
    expect(reachability.isSilent).toBe(false);
  });

  it('has no effect while the connection is being opened', () => {
    reachability.doubt(clock.now());
    expect(reachability.isSilent).toBe(false);
  });
});
