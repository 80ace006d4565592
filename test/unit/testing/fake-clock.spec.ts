import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

describe('FakeClock', () => {
  it('stands still until it is moved', () => {
    const clock = new FakeClock(500);
    expect(clock.now()).toBe(500);
    clock.advance(250);
    expect(clock.now()).toBe(750);
  });

  it('fires timers in the order of their times, then in the order in which they were set', () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    const note = (name: string) => (): void => void fired.push(`${name} at ${clock.now()}`);
    clock.setTimer(20, note('c'));
    clock.setTimer(10, note('a'));
    clock.setTimer(10, note('b'));
    clock.setTimer(31, note('never'));
    expect([clock.pendingTimers, clock.nextTimerMs]).toEqual([4, 10]);
    clock.advance(30);
    expect(fired).toEqual(['a at 10', 'b at 10', 'c at 20']);
    expect([clock.pendingTimers, clock.nextTimerMs, clock.now()]).toEqual([1, 1, 30]);
  });

  it('fires timers that callbacks set, and no cancelled timer', () => {
    const clock = new FakeClock();
    const fired: number[] = [];
    const again = (): void => {
      fired.push(clock.now());
      clock.setTimer(10, again);
    };
    clock.setTimer(10, again);
    const cancel = clock.setTimer(15, () => fired.push(-1));
    clock.setTimer(12, () => cancel());
    clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
    cancel();
  });

  it('fires a timer without delay at the next advance(), even if that advances by 0 ms', () => {
    const clock = new FakeClock();
    let fired = false;
    clock.setTimer(0, () => (fired = true));
    expect(fired).toBe(false);
    clock.advance(0);
    expect(fired).toBe(true);
  });
});
