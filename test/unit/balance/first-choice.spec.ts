import { expect, it } from 'vitest';
import { FirstChoice } from '../../../lib/balance/first-choice.js';
import { candidates } from './fixtures.js';

it('stays with its endpoint while that is there, and goes to the first of the list when it is not', () => {
  const [a, b, c] = candidates(3);
  const picker = new FirstChoice([b!, c!]);
  expect([picker.pick(), picker.pick()]).toEqual([b, b]);
  const joined = new FirstChoice([a!, b!, c!], picker);
  expect(joined.pick()).toBe(b);
  expect(new FirstChoice([c!, a!], joined).pick()).toBe(c);
});
