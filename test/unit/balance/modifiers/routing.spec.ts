import { describe, expect, it } from 'vitest';
import { FirstChoice } from '../../../../lib/balance/policies/first-choice.js';
import { RoundRobin } from '../../../../lib/balance/policies/round-robin.js';
import { CanaryPicker, matchesEndpoint } from '../../../../lib/balance/modifiers/routing.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { candidate, candidates, PLAIN, poolOf, requestWith } from '../fixtures.js';

describe('matchesEndpoint', () => {
  const endpoint = candidate('a:1', {
    version: '2',
    zone: 'eu',
    gpu: true,
    tier: 3,
    tags: ['x'],
    none: null,
  });

  it.each([
    [{}, true],
    [{ version: '2' }, true],
    [{ version: '1' }, false],
    [{ zone: 'eu', version: '2' }, true],
    [{ zone: 'us', version: '2' }, false],
    [{ metadata: { gpu: true, tier: 3 } }, true],
    [{ metadata: { gpu: 'true', tier: '3' } }, true],
    [{ metadata: { gpu: true, tier: 4 } }, false],
    [{ metadata: { absent: 'undefined' } }, false],
    [{ metadata: { none: 'null' } }, false],
    [{ metadata: { tags: 'x' } }, false],
    [{ metadata: { constructor: 'x' } }, false],
  ])('whether %j matches an endpoint with version 2 in zone eu: %s', (match, matches) => {
    expect(matchesEndpoint(endpoint, match)).toBe(matches);
  });

  it('an endpoint without metadata matches only a match without fields', () => {
    const bare = candidate('a:1', {});
    expect(matchesEndpoint(bare, { version: '2' })).toBe(false);
    expect(matchesEndpoint(bare, {})).toBe(true);
  });
});

describe('CanaryPicker', () => {
  const [stable, canary] = candidates(2);
  const picker = (options: Omit<ConstructorParameters<typeof CanaryPicker>[2], 'match'>) =>
    new CanaryPicker(
      new RoundRobin([stable!], () => 0),
      new RoundRobin([canary!], () => 0),
      { match: {}, ...options },
      seededRandom(1),
    );

  it('sends its share of the calls to the canary, within 4 standard deviations', () => {
    const canaryPicker = picker({ share: 0.1 });
    let count = 0;
    for (let call = 0; call < 20_000; call++) if (canaryPicker.pick(PLAIN, 0) === canary) count++;
    expect(Math.abs(count - 2_000)).toBeLessThan(170);
  });

  it.each([
    ['stable', 0, stable],
    ['canary', 1, canary],
    ['stable', undefined, stable],
  ])('sends every call to the %s picker for a share of %s', (_name, share, expected) => {
    const canaryPicker = picker(share === undefined ? {} : { share });
    for (let call = 0; call < 1_000; call++) expect(canaryPicker.pick(PLAIN, 0)).toBe(expected);
  });

  it('sends calls with the header to the canary: with any value, or only with the given value', () => {
    const any = picker({ header: { name: 'x-canary' } });
    expect(any.pick(requestWith({ 'x-canary': '' }), 0)).toBe(canary);
    expect(any.pick(PLAIN, 0)).toBe(stable);
    const only = picker({ header: { name: 'x-canary', value: 'yes' } });
    expect(only.pick(requestWith({ 'x-canary': 'yes' }), 0)).toBe(canary);
    expect(only.pick(requestWith({ 'x-canary': 'no' }), 0)).toBe(stable);
  });
});

it('a further attempt of a call that is for the canaries goes to another canary', () => {
  const [a, b, c, d] = candidates(4);
  const stable = new FirstChoice(poolOf([a!, b!]));
  const canary = new FirstChoice(poolOf([c!, d!]));
  const options = { match: {}, header: { name: 'canary' } };
  const picker = new CanaryPicker(stable, canary, options, seededRandom(1));
  const others = [PLAIN, requestWith({ canary: '1' })].map((request) =>
    picker.pickOther(request, 0, (one) => one !== a && one !== c),
  );
  expect(others).toEqual([b, d]);
});

describe('the random number of a call for the canaries', () => {
  const [stable, canary] = candidates(2);
  const pickerWith = (share: number | undefined, random: () => number) =>
    new CanaryPicker(
      new RoundRobin([stable!], () => 0),
      new RoundRobin([canary!], () => 0),
      share === undefined ? { match: {} } : { match: {}, share },
      random,
    );

  it.each([0, undefined])('is not drawn for a share of %s', (share) => {
    let draws = 0;
    const picker = pickerWith(share, () => draws++);
    expect(picker.pick(PLAIN, 0)).toBe(stable);
    expect(draws).toBe(0);
  });

  it('is the result of lot() if the request has that method; a number below the share selects the canaries', () => {
    const picker = pickerWith(0.1, () => Number.NaN);
    const picks = [0, 0.099, 0.1, 0.9].map((lot) => picker.pick({ ...PLAIN, lot: () => lot }, 0));
    expect(picks).toEqual([canary, canary, stable, stable]);
  });
});
