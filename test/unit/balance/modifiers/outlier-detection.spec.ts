import { describe, expect, it } from 'vitest';
import { CallTally } from '../../../../lib/balance/load/call-tally.js';
import {
  wantsOutlierStep,
  type OutlierStep,
} from '../../../../lib/balance/modifiers/outlier-detection.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { OutlierFleet } from '../outlier-fleet.js';

describe('stepOutliers: failures in a row', () => {
  it.each([2, 3, 10])(
    'ejects the one of %i endpoints that fails five times in a row, but not after four failures',
    (size) => {
      const fleet = new OutlierFleet(size);
      fleet.fail(0, 4);
      expect(fleet.step(100).ejected).toEqual([]);
      fleet.fail(0);
      expect(wantsOutlierStep(fleet.tallies[0]!, {})).toBe(true);
      expect(fleet.step(101).ejected).toEqual([fleet.tallies[0]]);
      expect(fleet.ejected()).toEqual([0]);
    },
  );

  it('does not add up failures that a success interrupts', () => {
    const fleet = new OutlierFleet(3);
    fleet.fail(0, 4);
    fleet.succeed(0);
    fleet.fail(0, 4);
    expect(fleet.step(100).ejected).toEqual([]);
  });

  it('counts failures in a row across the end of a window', () => {
    const fleet = new OutlierFleet(3);
    fleet.succeed(0, 100);
    fleet.fail(0, 3);
    fleet.step(10_000);
    fleet.fail(0, 2);
    expect(fleet.step(10_100).ejected).toEqual([fleet.tallies[0]]);
  });

  it('a step is due at every multiple of the threshold, not at every failure', () => {
    const tally = new CallTally();
    const asked = Array.from({ length: 10 }, () => {
      tally.record('failure');
      return wantsOutlierStep(tally, {});
    });
    expect(asked.flatMap((wants, at) => (wants ? [at + 1] : []))).toEqual([5, 10]);
    tally.record('success');
    expect(wantsOutlierStep(tally, {})).toBe(false);
  });

  it('a fault that at least half of the others share ejects no endpoint', () => {
    const fleet = new OutlierFleet(5);
    for (const at of [0, 1, 2]) fleet.fail(at, 50);
    fleet.succeed(3);
    expect(fleet.step(100).ejected).toEqual([]);
    fleet.succeed(2);
    expect(fleet.step(200).ejected).toHaveLength(2);
  });
});

/** Judges an endpoint of which 8 calls failed, beside one that answered all of its 36 calls. */
function judge(calls: number): OutlierStep {
  const fleet = new OutlierFleet(2);
  for (let failure = 0; failure < 8; failure++) {
    fleet.fail(0);
    fleet.succeed(0);
  }
  fleet.succeed(0, calls - 16);
  fleet.succeed(1, 36);
  return fleet.step(100);
}

describe('stepOutliers: share of failures', () => {
  it('ejects the one of two endpoints that fails every other call', () => {
    const fleet = new OutlierFleet(2);
    for (let call = 0; call < 30; call++) {
      fleet.fail(0);
      fleet.succeed(0);
      fleet.succeed(1, 2);
    }
    expect(fleet.step(1_000).ejected).toEqual([fleet.tallies[0]]);
  });

  it('ejects an endpoint whose share exceeds that of the others by three standard errors, and none below', () => {
    // 8 of 36 calls against 0 of 36: both the difference and three standard errors are 2/9.
    expect(judge(36).ejected).toHaveLength(1);
    expect(judge(37).ejected).toEqual([]);
  });

  it('takes the failures of all endpoints into account for how far chance goes', () => {
    const fleet = new OutlierFleet(2);
    for (let turn = 0; turn < 4; turn++) {
      fleet.fail(0, 4);
      fleet.succeed(0);
    }
    for (let turn = 0; turn < 100; turn++) {
      fleet.fail(1);
      fleet.succeed(1, 3);
    }
    // 80 % of 20 calls against 25 % of 400: more than three standard errors of 10 %.
    expect(fleet.step(9_000).ejected).toEqual([fleet.tallies[0]]);
  });

  it('of two endpoints that fail more than the others, ejects the one with the greater share first', () => {
    const fleet = new OutlierFleet(10, { maxEjectedShare: 0.1 });
    for (let turn = 0; turn < 20; turn++) {
      fleet.fail(0, 2);
      fleet.succeed(0, 3);
    }
    for (let turn = 0; turn < 10; turn++) {
      fleet.fail(1);
      fleet.succeed(1);
    }
    for (let at = 2; at < 10; at++) fleet.succeed(at, 100);
    expect(fleet.step(9_000).ejected).toEqual([fleet.tallies[1]]);
  });

  it('the fewer calls the others had, the less certain the difference is', () => {
    const [few, more] = [new OutlierFleet(2), new OutlierFleet(2)];
    for (const fleet of [few, more]) {
      for (let failure = 0; failure < 6; failure++) {
        fleet.fail(0);
        fleet.succeed(0, 4);
      }
    }
    few.succeed(1, 40);
    more.succeed(1, 60);
    // 6 of 30 calls are 20 %. Three standard errors are 20.3 % beside 40 answers, and 16.7 % beside 60.
    expect(few.step(100).ejected).toEqual([]);
    expect(more.step(100).ejected).toEqual([more.tallies[0]]);
  });

  it('an endpoint with fewer than 20 calls is not ejected', () => {
    const fleet = new OutlierFleet(2);
    fleet.succeed(1, 100);
    for (let call = 0; call < 9; call++) {
      fleet.fail(0);
      fleet.succeed(0);
    }
    fleet.fail(0);
    expect(fleet.step(1_000).ejected).toEqual([]);
    fleet.succeed(0);
    expect(fleet.step(2_000).ejected).toEqual([fleet.tallies[0]]);
  });

  it('an endpoint is not ejected for a difference below 20 %, however certain the difference is', () => {
    const fleet = new OutlierFleet(2);
    fleet.succeed(1, 100_000);
    for (let call = 0; call < 1_000; call++) {
      fleet.fail(0, 3);
      fleet.succeed(0, 17);
    }
    expect(fleet.step(1_000).ejected).toEqual([]);
  });

  it('equal servers are not ejected: chance ejects at most 6 times in 600 judgements, 60 of 10 servers with 30 % of errors', () => {
    const random = seededRandom(1);
    const fleet = new OutlierFleet(10, { consecutiveFailures: 1_000, failureMargin: 0.01 });
    let ejections = 0;
    for (let second = 1; second <= 60; second++) {
      for (let call = 0; call < 300; call++) {
        if (random() < 0.3) fleet.fail(call % 10);
        else fleet.succeed(call % 10);
      }
      ejections += fleet.step(second * 1_000).ejected.length;
    }
    // Chance exceeds three standard errors on one side in 0.135 % of cases: of 600 judgements 0.8.
    expect(ejections).toBeLessThanOrEqual(6);
  });

  it('counts only the calls of the current window, and not earlier calls again', () => {
    const fleet = new OutlierFleet(3, { consecutiveFailures: 1_000 });
    // The share of failures is 14 %, which is within the margin of 20 %.
    for (let window = 1; window <= 3; window++) {
      for (let at = 0; at < 3; at++) {
        for (let call = 0; call < 8; call++) {
          if (at === 0) fleet.fail(0);
          else fleet.succeed(at);
          fleet.succeed(at, 6);
        }
      }
      expect(fleet.step(window * 10_000).ejected).toEqual([]);
      expect(fleet.state.get(fleet.tallies[0]!)).toMatchObject({
        sinceMs: window * 10_000,
        successes: window * 48,
        failures: window * 8,
      });
    }
  });

  it('begins a new window after 10 s, but not before the endpoint has had 20 calls', () => {
    const fleet = new OutlierFleet(3);
    fleet.succeed(0, 19);
    fleet.succeed(1, 20);
    const windows = (nowMs: number) => {
      fleet.step(nowMs);
      return fleet.tallies.map((tally) => fleet.state.get(tally)?.sinceMs);
    };
    expect(windows(9_999)).toEqual([0, 0, 0]);
    expect(windows(10_000)).toEqual([0, 10_000, 0]);
    fleet.succeed(0);
    expect(windows(12_000)).toEqual([12_000, 10_000, 0]);
  });

  it('counts only the calls of the new window', () => {
    const fleet = new OutlierFleet(2, { consecutiveFailures: 1_000 });
    fleet.fail(0, 5);
    fleet.succeed(0, 15);
    fleet.step(10_000);
    fleet.succeed(0, 19);
    fleet.step(20_000);
    expect(fleet.state.get(fleet.tallies[0]!)).toMatchObject({ sinceMs: 10_000, failures: 5 });
    fleet.succeed(0);
    fleet.step(20_001);
    expect(fleet.state.get(fleet.tallies[0]!)).toMatchObject({ sinceMs: 20_001, successes: 35 });
  });

  it('ejects a server within 2 s of its first failures, however long it had been well before', () => {
    const fleet = new OutlierFleet(10, { consecutiveFailures: 1_000 });
    const second = (nowMs: number, fails: boolean): OutlierStep => {
      for (let at = 0; at < 10; at++) {
        for (let call = 0; call < 20; call++) {
          fleet.succeed(at);
          if (at === 0 && fails) fleet.fail(at);
        }
      }
      return fleet.step(nowMs);
    };
    for (let nowMs = 1_000; nowMs <= 60_000; nowMs += 1_000) second(nowMs, false);
    const steps = [61_000, 62_000].map((nowMs) => second(nowMs, true).ejected.length);
    expect(steps[0]! + steps[1]!).toBe(1);
  });
});
