import { expect, it } from 'vitest';
import { WorkSlices } from '../../../../lib/etcd/watch/work-slices.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

it('long work pauses after a slice of 5 ms, and the next slice has 5 ms again', async () => {
  const clock = new FakeClock();
  const slices = new WorkSlices(clock);
  const step = (ms: number) => {
    clock.advance(ms);
    return slices.rest();
  };
  expect(step(3)).toBeUndefined();
  const rest = step(3);
  let othersHadTheirTurn = false;
  setImmediate(() => (othersHadTheirTurn = true));
  clock.advance(100);
  await rest;
  await new Promise((resolve) => setImmediate(resolve));
  expect(othersHadTheirTurn).toBe(true);
  expect(step(4)).toBeUndefined();
  expect(step(1)).toBeInstanceOf(Promise);
});
