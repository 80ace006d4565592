import { describe, expect, it } from 'vitest';
import { RoundRobin } from '../../../../lib/balance/policies/round-robin.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { candidates, countPicks } from '../fixtures.js';

describe('RoundRobin', () => {
  it('each of three endpoints gets exactly 100 of 300 calls, and one call per turn', () => {
    const list = candidates(3);
    const picker = new RoundRobin(list, seededRandom(1));
    for (let turn = 0; turn < 100; turn++) {
      expect(new Set([picker.pick(), picker.pick(), picker.pick()]).size).toBe(3);
    }
  });

  it('the rotation starts at each endpoint equally often', () => {
    const list = candidates(4);
    const random = seededRandom(2);
    const starts = new Map<string, number>();
    for (let client = 0; client < 4_000; client++) {
      const { address } = new RoundRobin(list, random).pick().endpoint;
      starts.set(address, (starts.get(address) ?? 0) + 1);
    }
    // ε = 15 %: 5.5 standard deviations of 1,000.
    expect(starts.size).toBe(4);
    for (const count of starts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('the rotation goes on where it was if each call has a new picker with new objects for the candidates', () => {
    const random = seededRandom(3);
    let picker = new RoundRobin(candidates(3), random);
    const counts = new Map<string, number>();
    for (let call = 0; call < 300; call++) {
      picker = new RoundRobin(candidates(3), random, picker);
      const { address } = picker.pick().endpoint;
      counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual([100, 100, 100]);
  });

  it('the rotation goes on with the next endpoint that remains when some endpoints leave and others join', () => {
    const [a, b, c, d, e] = candidates(5);
    const picker = new RoundRobin([a!, b!, c!, d!], () => 0);
    expect(picker.pick()).toBe(a);
    const next = new RoundRobin([e!, a!, c!, d!], () => 0, picker);
    expect([next.pick(), next.pick(), next.pick(), next.pick()]).toEqual([c, d, e, a]);
  });

  it('the rotation goes on with an endpoint that joined behind the last called one', () => {
    const [a, b, c] = candidates(3);
    const picker = new RoundRobin([a!], () => 0);
    picker.pick();
    const next = new RoundRobin([a!, b!], () => 0, picker);
    expect([next.pick(), next.pick()]).toEqual([b, a]);
    // The picker is replaced without a call in between.
    const idle = new RoundRobin([a!, b!], () => 0, new RoundRobin([a!, b!, c!], () => 0, next));
    expect(idle.pick()).toBe(b);
  });

  it('the rotation goes on with the endpoint whose turn it was when the last called one has left', () => {
    const [a, b, c, d] = candidates(4);
    const picker = new RoundRobin([a!, b!, c!, d!], () => 0);
    expect([picker.pick(), picker.pick()]).toEqual([a, b]);
    expect(new RoundRobin([d!, a!, c!], () => 0, picker).pick()).toBe(c);
  });

  it('the rotation goes on with the first endpoint that still waits when the next endpoints have left too', () => {
    const [a, b, c, d, e] = candidates(5);
    const picker = new RoundRobin([a!, b!, c!, d!, e!], () => 0.6);
    expect([picker.pick(), picker.pick()]).toEqual([d, e]);
    expect(new RoundRobin([d!, c!, b!], () => 0, picker).pick()).toBe(b);
    expect(new RoundRobin([d!, c!], () => 0, picker).pick()).toBe(c);
    expect(new RoundRobin([b!, d!], () => 0, new RoundRobin([c!, a!, b!], () => 0)).pick()).toBe(b);
  });

  it('the rotation starts anew if none of its endpoints remains', () => {
    const [a, b, c] = candidates(3);
    const next = new RoundRobin([b!, c!], () => 0.9, new RoundRobin([a!], () => 0));
    expect(next.pick()).toBe(c);
  });

  it('the picker picks the only endpoint every time', () => {
    expect([...countPicks(new RoundRobin(candidates(1), () => 0.99), 10).values()]).toEqual([10]);
  });
});
