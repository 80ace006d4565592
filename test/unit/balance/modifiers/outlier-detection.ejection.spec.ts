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
