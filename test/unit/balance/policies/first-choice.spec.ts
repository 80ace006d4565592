import { expect, it } from 'vitest';
import { FirstChoice } from '../../../../lib/balance/policies/first-choice.js';
import { candidates, PLAIN, poolOf } from '../fixtures.js';

it('the picker stays with its endpoint while the list has it, then goes to the first of the list', () => {
  const [a, b, c] = candidates(3);
  const picker = new FirstChoice(poolOf([b!, c!]));
  expect([picker.pick(), picker.pick()]).toEqual([b, b]);
  const joined = new FirstChoice(poolOf([a!, b!, c!]), picker);
  expect(joined.pick()).toBe(b);
  expect(new FirstChoice(poolOf([c!, a!]), joined).pick()).toBe(c);
});

it('the picker chooses the first of the heaviest endpoints, and does not leave it for a heavier one', () => {
  const [a, b, c] = candidates(3);
  const picker = new FirstChoice(poolOf([a!, b!, c!], [0.1, 1, 1]));
  expect(picker.pick()).toBe(b);
  expect(new FirstChoice(poolOf([a!, b!, c!], [1, 0.1, 1]), picker).pick()).toBe(b);
});

it('a further attempt goes to the first of the heaviest other endpoints', () => {
  const [a, b, c] = candidates(3);
  const picker = new FirstChoice(poolOf([a!, b!, c!], [1, 0.1, 0.5]));
  expect(picker.pickOther(PLAIN, 0, (one) => one !== a)).toBe(c);
  expect(picker.pickOther(PLAIN, 0, () => false)).toBeUndefined();
  expect(picker.pick()).toBe(a);
});

it('the picker chooses among weights below 1, and of equal weights the first', () => {
  const [a, b, c] = candidates(3);
  const picker = new FirstChoice(poolOf([a!, b!, c!], [0.1, 0.2, 0.2]));
  expect(picker.pick()).toBe(b);
  expect(picker.pickOther(PLAIN, 0, () => true)).toBe(b);
});
