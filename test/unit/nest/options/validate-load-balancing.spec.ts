import { describe, expect, it } from 'vitest';
import { validateLoadBalancing } from '../../../../lib/nest/options/validate-load-balancing.js';

const check = (value: unknown) => validateLoadBalancing('lb', value);
/** Checks a modifier beside a policy's name. */
const modified = (modifier: object) => check({ policy: 'round_robin', ...modifier });

/** No metadata keys that callers can set to a text. */
const NO_METADATA_KEYS = ['', 'X-User', 'x user', 'ä', 'grpc-user', 'x-user-bin'];

describe('the option loadBalancing', () => {
  it("accepts a policy's name, an object with a name and options, and options of the default policy", () => {
    expect(check('peak_ewma')).toEqual({ policy: 'peak_ewma' });
    const options = { policy: 'peak_ewma', decayMs: 500 };
    expect(check(options)).toBe(options);
    expect(check({ healthCheck: true })).toEqual({ healthCheck: true });
  });

  it.each<[unknown, string]>([
    ['fastest', 'option lb is "fastest"; allowed: round_robin'],
    [7, 'option lb is 7; allowed: round_robin'],
    [null, 'option lb is null; allowed: '],
    [{ policy: 'fastest' }, 'option lb.policy is "fastest"; allowed: round_robin'],
    [
      'consistent_hash',
      'option lb is "consistent_hash"; allowed: an object with policy and hashKey',
    ],
    [{ policy: 'consistent_hash' }, 'option lb.hashKey is undefined; allowed: a metadata key'],
    ...NO_METADATA_KEYS.map((hashKey): [unknown, string] => [
      { policy: 'consistent_hash', hashKey },
      `option lb.hashKey is ${JSON.stringify(hashKey)}; allowed: a metadata key`,
    ]),
    [
      { decayMs: 5 },
      'option lb.decayMs is "set with policy round_robin"; allowed: policy peak_ewma only',
    ],
    [{ policy: 'peak_ewma', decayMs: 0.5 }, 'option lb.decayMs is 0.5; allowed: '],
    [{ policy: 'peak_ewma', decayMs: 600_001 }, 'option lb.decayMs is 600001; allowed: '],
    [
      { policy: 'consistent_hash', hashKey: 'x', freeInFlight: 1.5 },
      'option lb.freeInFlight is 1.5; allowed: ',
    ],
    [{ policy: 'random', lokality: {} }, 'option lb.lokality'],
  ])('rejects %j', (value, reason) => {
    expect(() => check(value)).toThrow(`[INVALID_OPTION] ${reason}`);
  });

  it.each(['x-user', 'user_id.v2', '7'])('accepts the hash key %s', (hashKey) => {
    const options = { policy: 'consistent_hash', hashKey };
    expect(check(options)).toBe(options);
  });

  it('accepts a function as the hash key', () => {
    const options = { policy: 'consistent_hash', hashKey: () => 'key', loadFactor: Infinity };
    expect(check(options)).toBe(options);
  });
});

describe('a modifier of the policy', () => {
  it.each<[object]>([
    [{ locality: { zone: 'a' } }],
    [{ locality: { zone: 'a', overprovisioning: 1, trafficShare: 0.000_001 } }],
    [{ locality: { zone: 'a', overprovisioning: 100, trafficShare: 1 } }],
    [{ slowStart: { windowMs: 1, aggression: 0.01, minWeight: 0.000_001 } }],
    [{ slowStart: { windowMs: 3_600_000, aggression: 100, minWeight: 1 } }],
    [{ outlierDetection: true }],
    [{ outlierDetection: false }],
    [
      {
        outlierDetection: {
          consecutiveFailures: 1,
          failureMargin: 0.000_001,
          minRequests: 1,
          windowMs: 10,
          intervalMs: 10,
          baseEjectionMs: 10,
          maxEjectionMs: 10,
          maxEjectedShare: 0,
        },
      },
    ],
    [
      {
        outlierDetection: {
          consecutiveFailures: 1_000_000,
          failureMargin: 1,
          minRequests: 1_000_000,
          windowMs: 86_400_000,
          intervalMs: 86_400_000,
          baseEjectionMs: 86_400_000,
          maxEjectionMs: 86_400_000,
          maxEjectedShare: 1,
        },
      },
    ],
    [{ healthCheck: true }],
    [{ healthCheck: false }],
    [{ healthCheck: 'user.User' }],
    [{ routing: { match: { version: '1', zone: 'a', metadata: { a: 'x', b: 1, c: true } } } }],
    [{ routing: { canary: { match: {}, share: 0 } } }],
    [{ routing: { canary: { match: {}, share: 1, header: { name: 'X-Canary' } } } }],
    [{ routing: { canary: { match: {}, header: { name: 'x-canary', value: 'yes' } } } }],
  ])('is accepted: %j', (modifier) => {
    expect(modified(modifier)).toMatchObject(modifier);
  });

  it.each<[object, string]>([
    [{ locality: 'a' }, 'locality'],
    [{ locality: {} }, 'locality.zone'],
    [{ locality: { zone: '' } }, 'locality.zone'],
    [{ locality: { zone: 'a', overprovisioning: 0.9 } }, 'locality.overprovisioning'],
    [{ locality: { zone: 'a', overprovisioning: 101 } }, 'locality.overprovisioning'],
    [{ locality: { zone: 'a', trafficShare: 0 } }, 'locality.trafficShare'],
    [{ locality: { zone: 'a', trafficShare: 1.1 } }, 'locality.trafficShare'],
    [{ slowStart: true }, 'slowStart'],
    [{ slowStart: {} }, 'slowStart.windowMs'],
    [{ slowStart: { windowMs: 0 } }, 'slowStart.windowMs'],
    [{ slowStart: { windowMs: 3_600_001 } }, 'slowStart.windowMs'],
    [{ slowStart: { windowMs: 1, aggression: 0 } }, 'slowStart.aggression'],
    [{ slowStart: { windowMs: 1, aggression: 101 } }, 'slowStart.aggression'],
    [{ slowStart: { windowMs: 1, minWeight: 0 } }, 'slowStart.minWeight'],
    [{ slowStart: { windowMs: 1, minWeight: 1.1 } }, 'slowStart.minWeight'],
    [{ outlierDetection: 'yes' }, 'outlierDetection'],
    [{ outlierDetection: { consecutiveFailures: 0 } }, 'outlierDetection.consecutiveFailures'],
    [{ outlierDetection: { consecutiveFailures: 1.5 } }, 'outlierDetection.consecutiveFailures'],
    [{ outlierDetection: { failureMargin: 0 } }, 'outlierDetection.failureMargin'],
    [{ outlierDetection: { failureMargin: 1.1 } }, 'outlierDetection.failureMargin'],
    [{ outlierDetection: { minRequests: 0 } }, 'outlierDetection.minRequests'],
    [{ outlierDetection: { maxEjectedShare: -0.1 } }, 'outlierDetection.maxEjectedShare'],
    [{ outlierDetection: { maxEjectedShare: 1.1 } }, 'outlierDetection.maxEjectedShare'],
    ...['windowMs', 'intervalMs', 'baseEjectionMs', 'maxEjectionMs'].flatMap(
      (name): [object, string][] => [
        [{ outlierDetection: { [name]: 9 } }, `outlierDetection.${name}`],
        [{ outlierDetection: { [name]: 86_400_001 } }, `outlierDetection.${name}`],
      ],
    ),
    [{ healthCheck: '' }, 'healthCheck'],
    [{ healthCheck: 1 }, 'healthCheck'],
    [{ routing: 'canary' }, 'routing'],
    [{ routing: { match: 'v1' } }, 'routing.match'],
    [{ routing: { match: { version: 1 } } }, 'routing.match.version'],
    [{ routing: { match: { zone: '' } } }, 'routing.match.zone'],
    [{ routing: { match: { metadata: [] } } }, 'routing.match.metadata'],
    [{ routing: { match: { metadata: null } } }, 'routing.match.metadata'],
    [{ routing: { match: { metadata: 'a' } } }, 'routing.match.metadata'],
    [{ routing: { match: { metadata: { a: 'x', b: null } } } }, 'routing.match.metadata'],
    [{ routing: { match: { metadata: { a: {} } } } }, 'routing.match.metadata'],
    [{ routing: { canary: {} } }, 'routing.canary.match'],
    [{ routing: { canary: { match: {}, share: -0.1 } } }, 'routing.canary.share'],
    [{ routing: { canary: { match: {}, share: 1.1 } } }, 'routing.canary.share'],
    [{ routing: { canary: { match: {}, header: 'x' } } }, 'routing.canary.header'],
    [{ routing: { canary: { match: {}, header: {} } } }, 'routing.canary.header.name'],
    ...NO_METADATA_KEYS.filter((name) => name !== 'X-User').map((name): [object, string] => [
      { routing: { canary: { match: {}, header: { name } } } },
      'routing.canary.header.name',
    ]),
    [
      { routing: { canary: { match: {}, header: { name: 'x', value: '' } } } },
      'routing.canary.header.value',
    ],
  ])('is rejected: %j', (modifier, option) => {
    expect(() => modified(modifier)).toThrow(`[INVALID_OPTION] option lb.${option} is `);
  });
});
