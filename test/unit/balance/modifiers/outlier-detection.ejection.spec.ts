import { describe, expect, it } from 'vitest';
import { OutlierFleet } from '../outlier-fleet.js';

describe('stepOutliers: ejection', () => {
  it('the last endpoint is never ejected, and at most the given share of endpoints is', () => {
    expect(new OutlierFleet(1).tallies).toHaveLength(1);
    const one = new OutlierFleet(1);
    one.fail(0, 100);
    expect(one.step(100).ejected).toEqual([]);

    const four = new OutlierFleet(4, { maxEjectedShare: 0.5 });
    const ten = new OutlierFleet(10, { maxEjectedShare: 0.2 });
    for (const fleet of [four, ten]) {
      for (let at = 0; at < fleet.tallies.length; at++) fleet.succeed(at, 100);
      for (let at = 0; at < 4 && at < fleet.tallies.length - 1; at++) {
        fleet.fail(at, 100 + at);
        fleet.step(100 + at);
      }
    }
    expect(four.ejected()).toHaveLength(2);
    expect(ten.ejected()).toHaveLength(2);
  });

  it('one of two endpoints may always be ejected', () => {
    const fleet = new OutlierFleet(2, { maxEjectedShare: 0 });
    fleet.fail(0, 5);
    expect(fleet.step(100).ejected).toHaveLength(1);
  });

  it('the worst endpoint is ejected first if not all may be ejected', () => {
    const fleet = new OutlierFleet(10, { maxEjectedShare: 0.1 });
    for (let at = 0; at < 10; at++) fleet.succeed(at, 100);
    fleet.fail(3, 50);
    fleet.fail(7, 90);
    expect(fleet.step(1_000).ejected).toEqual([fleet.tallies[7]]);
  });

  it('only endpoints that could be called count: if one of two is disconnected, none is ejected', () => {
    const fleet = new OutlierFleet(2);
    fleet.unusable.add(fleet.tallies[1]!);
    fleet.fail(0, 10);
    expect(fleet.step(100).ejected).toEqual([]);
    fleet.unusable.clear();
    expect(fleet.step(200).ejected).toEqual([fleet.tallies[0]]);
  });

  it('an ejected endpoint returns when no other endpoint is usable; the state of a removed endpoint is dropped', () => {
    const fleet = new OutlierFleet(2);
    fleet.fail(0, 5);
    fleet.step(100);
    const [bad, good] = fleet.tallies;
    fleet.unusable.add(good!);
    expect(fleet.step(200).returned).toEqual([bad]);
    fleet.tallies.pop();
    fleet.step(300);
    expect([...fleet.state.keys()]).toEqual([bad]);
  });

  it('the first ejection lasts 10 s, the second 20 s, and the step says when an ejection ends', () => {
    const fleet = new OutlierFleet(3);
    fleet.fail(0, 5);
    expect(fleet.step(1_000).nextStepMs).toBe(1_000);
    expect(fleet.step(10_400).nextStepMs).toBe(600);
    expect(fleet.step(10_999).returned).toEqual([]);
    expect(fleet.step(11_000).returned).toEqual([fleet.tallies[0]]);
    expect(fleet.ejected()).toEqual([]);
    fleet.fail(0, 5);
    fleet.step(11_500);
    fleet.step(31_499);
    expect(fleet.ejected()).toEqual([0]);
    fleet.step(31_500);
    expect(fleet.ejected()).toEqual([]);
  });

  it('an ejection lasts no longer than the maximum', () => {
    const fleet = new OutlierFleet(3, { maxEjectionMs: 15_000 });
    fleet.fail(0, 5);
    fleet.step(0);
    fleet.step(10_000);
    fleet.fail(0, 5);
    fleet.step(10_000);
    expect(fleet.step(25_000).returned).toHaveLength(1);
  });

  it('each 10 s without an ejection cancel one earlier ejection', () => {
    const fleet = new OutlierFleet(3);
    fleet.fail(0, 5);
    fleet.step(0);
    fleet.step(10_000);
    fleet.step(20_000);
    fleet.fail(0, 5);
    fleet.step(20_000);
    expect(fleet.step(30_000).returned).toHaveLength(1);
  });

  it('failures before and during an ejection do not count after it ends', () => {
    const fleet = new OutlierFleet(3);
    fleet.fail(0, 5);
    fleet.step(0);
    fleet.fail(0, 50);
    expect(fleet.step(10_000).returned).toHaveLength(1);
    expect(fleet.step(10_100).ejected).toEqual([]);
    fleet.fail(0, 4);
    expect(fleet.step(10_200).ejected).toEqual([]);
    fleet.fail(0, 1);
    expect(fleet.step(10_300).ejected).toHaveLength(1);
  });

  it('a step does not change the state that it was given', () => {
    const fleet = new OutlierFleet(3);
    const before = new Map(fleet.state);
    const given = fleet.state;
    fleet.fail(0, 5);
    fleet.step(100);
    expect(given).toEqual(before);
    expect(fleet.state).not.toBe(given);
  });
});

describe('stepOutliers: the bounds of ejections', () => {
  it('an ejection lasts 300 s at most by default', () => {
    const fleet = new OutlierFleet(3, { baseEjectionMs: 400_000 });
    fleet.fail(0, 5);
    fleet.step(0);
    expect(fleet.step(299_999).returned).toEqual([]);
    expect(fleet.step(300_000).returned).toHaveLength(1);
  });

  it('an ejection is forgiven after 10 s without an ejection, also if a step comes every second', () => {
    const fleet = new OutlierFleet(3);
    fleet.fail(0, 5);
    fleet.step(0);
    for (let nowMs = 10_000; nowMs <= 20_000; nowMs += 1_000) fleet.step(nowMs);
    fleet.fail(0, 5);
    fleet.step(20_000);
    expect(fleet.step(30_000).returned).toHaveLength(1);
  });

  it('10 s without an ejection forgive one of two earlier ejections, and no more', () => {
    const fleet = new OutlierFleet(3);
    fleet.fail(0, 5);
    fleet.step(0);
    fleet.step(10_000);
    fleet.fail(0, 5);
    fleet.step(10_000);
    fleet.step(30_000);
    fleet.step(40_000);
    fleet.fail(0, 5);
    fleet.step(40_000);
    expect(fleet.step(59_999).returned).toEqual([]);
    expect(fleet.step(60_000).returned).toHaveLength(1);
  });

  it('a time without any ejection is no credit: the first ejection lasts 10 s', () => {
    const fleet = new OutlierFleet(3);
    fleet.step(50_000);
    fleet.fail(0, 5);
    fleet.step(50_000);
    expect(fleet.step(59_999).returned).toEqual([]);
    expect(fleet.step(60_000).returned).toHaveLength(1);
  });

  it('in a fleet that has shrunk, the endpoint whose ejection ends first returns first', () => {
    const fleet = new OutlierFleet(6);
    for (const [at, nowMs] of [
      [0, 100],
      [2, 200],
      [1, 300],
    ] as const) {
      fleet.fail(at, 5);
      fleet.step(nowMs);
    }
    const [first, third, second, ...others] = fleet.tallies;
    for (const one of others.slice(1)) fleet.unusable.add(one);
    // Of four usable endpoints two may be ejected; of three, one.
    expect(fleet.step(400).returned).toEqual([first]);
    fleet.unusable.add(others[0]!);
    expect(fleet.step(500).returned).toEqual([second]);
    expect(fleet.ejected()).toEqual([fleet.tallies.indexOf(third!)]);
  });

  it('a step without a usable endpoint ejects none', () => {
    const fleet = new OutlierFleet(2);
    for (const one of fleet.tallies) fleet.unusable.add(one);
    fleet.fail(0, 50);
    expect(fleet.step(100)).toMatchObject({ ejected: [], returned: [] });
  });

  it('one failure ejects an endpoint if consecutiveFailures is 1, unless the others have failed once too', () => {
    const options = { consecutiveFailures: 1 };
    const [alone, together] = [new OutlierFleet(3, options), new OutlierFleet(3, options)];
    alone.fail(0);
    expect(alone.step(100).ejected).toEqual([alone.tallies[0]]);
    for (const at of [0, 1, 2]) together.fail(at);
    expect(together.step(100).ejected).toEqual([]);
  });

  it('a single failure at the end of a window counts with the failures that follow', () => {
    const fleet = new OutlierFleet(3);
    fleet.succeed(0, 100);
    fleet.fail(0);
    fleet.step(10_000);
    fleet.fail(0, 4);
    expect(fleet.step(10_100).ejected).toEqual([fleet.tallies[0]]);
  });

  it('a share of failures that exceeds the others by exactly the margin ejects', () => {
    const fleet = new OutlierFleet(2, { consecutiveFailures: 1_000, failureMargin: 0.25 });
    fleet.fail(0, 25);
    fleet.succeed(0, 75);
    fleet.succeed(1, 1_000);
    expect(fleet.step(100).ejected).toEqual([fleet.tallies[0]]);
  });
});
