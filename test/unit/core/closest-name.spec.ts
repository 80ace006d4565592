import { describe, expect, it } from 'vitest';
import { closestName, didYouMean } from '../../../lib/core/closest-name.js';

const KNOWN = ['keepaliveTimeMs', 'keepaliveTimeoutMs', 'zone', 'round_robin', 'FindOne'];

describe('closestName', () => {
  it.each([
    ['keepaliveTime', 'keepaliveTimeMs'],
    ['keepaliveTimeout', 'keepaliveTimeoutMs'],
    ['keepalive_time_ms', 'keepaliveTimeMs'],
    ['roundRobin', 'round_robin'],
    ['findOne', 'FindOne'],
    ['zon', 'zone'],
  ])('for %s returns %s', (given, meant) => {
    expect(closestName(given, KNOWN)).toBe(meant);
  });

  it.each(['', 'url', 'x', '___', 'entirely different'])('for %j returns nothing', (given) => {
    expect(closestName(given, KNOWN)).toBeUndefined();
  });

  it('allows one different letter in a name of one or two letters, of which one is the same', () => {
    expect(closestName('cs', ['ca', 'key'])).toBe('ca');
    expect(closestName('as', ['ca', 'key'])).toBeUndefined();
    expect(closestName('x', ['y'])).toBeUndefined();
  });

  it('allows at most `most` different letters', () => {
    expect(closestName('keepaliveTime', KNOWN, 2)).toBe('keepaliveTimeMs');
    expect(closestName('keepaliveTime', KNOWN, 1)).toBeUndefined();
    expect(closestName('zoom', KNOWN, 9)).toBeUndefined();
  });

  it('returns the first of several names that are equally similar', () => {
    expect(closestName('zonx', ['zona', 'zonb', 'zone'])).toBe('zona');
    expect(closestName('zonx', ['zonex', 'zonx', 'zona'])).toBe('zonx');
  });

  it('ends in bounded time for a name of any length', () => {
    expect(closestName('x'.repeat(10_000_000), KNOWN)).toBeUndefined();
  });
});

it('didYouMean returns a question if a known name is similar', () => {
  expect(didYouMean('zones', KNOWN)).toBe('; did you mean zone?');
  expect([didYouMean('url', KNOWN), didYouMean(7, KNOWN)]).toEqual(['', '']);
});
