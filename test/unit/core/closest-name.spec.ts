import { describe, expect, it } from 'vitest';
import { closestName, didYouMean } from '../../../lib/core/closest-name.js';

const KNOWN = ['keepaliveTimeMs', 'keepaliveTimeoutMs', 'zone', 'round_robin', 'FindOne'];

describe('the closest name', () => {
  it.each([
    ['keepaliveTime', 'keepaliveTimeMs'],
    ['keepaliveTimeout', 'keepaliveTimeoutMs'],
    ['keepalive_time_ms', 'keepaliveTimeMs'],
    ['roundRobin', 'round_robin'],
    ['findOne', 'FindOne'],
    ['zon', 'zone'],
  ])('to %s is %s', (given, meant) => {
    expect(closestName(given, KNOWN)).toBe(meant);
  });

  it.each(['', 'url', 'x', '___', 'entirely different'])('to %j is none', (given) => {
    expect(closestName(given, KNOWN)).toBeUndefined();
  });

  it('may differ by no more letters than asked', () => {
    expect(closestName('keepaliveTime', KNOWN, 2)).toBe('keepaliveTimeMs');
    expect(closestName('keepaliveTime', KNOWN, 1)).toBeUndefined();
    expect(closestName('zoom', KNOWN, 9)).toBeUndefined();
  });

  it('of a name of any length is found in bounded time', () => {
    expect(closestName('x'.repeat(10_000_000), KNOWN)).toBeUndefined();
  });
});

it('a question ends the text of an error, where there is something to ask', () => {
  expect(didYouMean('zones', KNOWN)).toBe('; did you mean zone?');
  expect([didYouMean('url', KNOWN), didYouMean(7, KNOWN)]).toEqual(['', '']);
});
