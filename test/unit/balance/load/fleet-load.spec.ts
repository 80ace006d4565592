import { expect, it } from 'vitest';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';

it('one answer moves the logarithm of the typical latency by 1/128 of the way', () => {
  const fleet = new FleetLoad();
  fleet.observe(1);
  expect(fleet.typicalMs).toBe(1);
  fleet.observe(Math.exp(12.8));
  expect(fleet.typicalMs).toBeCloseTo(Math.exp(0.1), 9);
});

it('the first answer is the typical latency, and an answer that took no time counts as 0.001 ms', () => {
  const fleet = new FleetLoad();
  fleet.observe(0);
  expect(fleet.typicalMs).toBeCloseTo(0.001, 12);
});
