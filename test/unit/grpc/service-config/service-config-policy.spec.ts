import { describe, expect, it } from 'vitest';
import { ServiceConfigError } from '../../../../lib/grpc/service-config/json-reader.js';
import { readServicePolicy } from '../../../../lib/grpc/service-config/service-config-policy.js';

const read = (name: string, fields: unknown) => readServicePolicy('config', [{ [name]: fields }]);
const options = (name: string, fields: unknown) => read(name, fields).options;

/** The reason why a policy is refused. */
function refused(name: string, fields: unknown): string {
  try {
    read(name, fields);
  } catch (error) {
    if (error instanceof ServiceConfigError) return error.message;
  }
  throw new Error(`${name} was accepted`);
}

const hashed = (fields: object) => ({ hashKey: 'x-user', ...fields });

describe('the options of a policy', () => {
  it.each<[string, object]>([
    ['consistent_hash', hashed({ loadFactor: 1.001 })],
    ['consistent_hash', hashed({ loadFactor: 1_000_000 })],
    ['consistent_hash', hashed({ freeInFlight: 0 })],
    ['consistent_hash', hashed({ freeInFlight: 1_000_000 })],
    ['peak_ewma', { decayMs: 1, failurePenalty: 0 }],
    ['peak_ewma', { decayMs: 600_000, failurePenalty: 1_000_000 }],
  ])('of %s are accepted up to their bounds: %j', (policy, fields) => {
    expect(options(policy, fields)).toEqual({ policy, ...fields });
  });

  it.each<[string, object, string]>([
    ['consistent_hash', hashed({ loadFactor: 1 }), 'loadFactor is 1; allowed: '],
    ['consistent_hash', hashed({ loadFactor: 1_000_001 }), 'loadFactor is 1000001; allowed: '],
    ['consistent_hash', hashed({ freeInFlight: -1 }), 'freeInFlight is -1; allowed: '],
    ['consistent_hash', hashed({ freeInFlight: 1_000_001 }), 'freeInFlight is 1000001; allowed: '],
    ['consistent_hash', hashed({ freeInFlight: 1.5 }), 'freeInFlight is 1.5; allowed: '],
    ['consistent_hash', {}, 'hashKey is missing; allowed: '],
    ['peak_ewma', { decayMs: 0.5 }, 'decayMs is 0.5; allowed: '],
    ['peak_ewma', { decayMs: 600_001 }, 'decayMs is 600001; allowed: '],
    ['peak_ewma', { failurePenalty: -1 }, 'failurePenalty is -1; allowed: '],
    ['peak_ewma', { failurePenalty: 1_000_001 }, 'failurePenalty is 1000001; allowed: '],
  ])('of %s are refused beyond their bounds: %j', (policy, fields, reason) => {
    expect(refused(policy, fields)).toContain(`config[0].${policy}.${reason}`);
  });

  it('are ignored if the policy does not have them', () => {
    expect(options('random', { decayMs: 0 })).toEqual({ policy: 'random' });
  });
});

describe("fields of gRPC's policies that our policies do not use", () => {
  it.each<[string, object]>([
    ['least_request_experimental', { choiceCount: 2 }],
    ['least_request_experimental', { choiceCount: 4_294_967_295 }],
    ['ring_hash_experimental', { minRingSize: 8_388_608, maxRingSize: 8_388_608 }],
    // The bound is the default of the other ring size.
    ['ring_hash_experimental', { maxRingSize: 1_024 }],
    ['ring_hash_experimental', { minRingSize: 4_096 }],
    ['ring_hash_experimental', { minRingSize: 1, maxRingSize: 1 }],
  ])('are accepted within the bounds of gRPC: %s %j', (policy, fields) => {
    expect(options(policy, fields)).toHaveProperty('policy');
  });

  it.each<[string, object, string]>([
    ['least_request_experimental', { choiceCount: 1 }, 'choiceCount is 1'],
    ['least_request_experimental', { choiceCount: 4_294_967_296 }, 'choiceCount is 4294967296'],
    ['least_request_experimental', { choiceCount: 2.5 }, 'choiceCount is 2.5'],
    ['ring_hash_experimental', { minRingSize: 8_388_609 }, 'minRingSize is 8388609'],
    ['ring_hash_experimental', { maxRingSize: 8_388_609 }, 'maxRingSize is 8388609'],
    ['ring_hash_experimental', { minRingSize: -1 }, 'minRingSize is -1'],
    [
      'ring_hash_experimental',
      { maxRingSize: 1_023 },
      'minRingSize is 1024; allowed: at most maxRingSize (1023)',
    ],
    [
      'ring_hash_experimental',
      { minRingSize: 4_097 },
      'minRingSize is 4097; allowed: at most maxRingSize (4096)',
    ],
  ])('are refused beyond the bounds of gRPC: %s %j', (policy, fields, reason) => {
    expect(refused(policy, fields)).toContain(`config[0].${policy}.${reason}`);
  });
});

/** The policy `random` inside `depth` other policies, of two kinds in turn. */
function nested(depth: number): unknown[] {
  if (depth === 0) return [{ random: {} }];
  const childPolicy = nested(depth - 1);
  return depth % 2 === 0
    ? [{ random_subsetting_experimental: { subsetSize: depth, childPolicy } }]
    : [{ outlier_detection_experimental: { successRateEjection: {}, childPolicy } }];
}

describe('nested policies', () => {
  it.each([
    ['random_subsetting_experimental', { subsetSize: 3 }],
    ['outlier_detection_experimental', { successRateEjection: {} }],
  ])('are read 8 deep, and refused 9 deep: %s', (policy, fields) => {
    const wrap = (depth: number): unknown[] =>
      depth === 0 ? [{ random: {} }] : [{ [policy]: { ...fields, childPolicy: wrap(depth - 1) } }];
    expect(readServicePolicy('config', wrap(8)).options.policy).toBe('random');
    expect(() => readServicePolicy('config', wrap(9))).toThrow('policies nested 8 deep at most');
  });

  it('are read 8 deep, and refused 9 deep, also if two kinds alternate', () => {
    expect(readServicePolicy('config', nested(8)).subsetSize).toBe(8);
    expect(() => readServicePolicy('config', nested(9))).toThrow('policies nested 8 deep at most');
  });

  it.each([
    [1, 1],
    [100_000, 100_000],
    [100_001, 100_000],
    [4_294_967_295, 100_000],
  ])('with a subset of %i endpoints are read with a subset of %i', (subsetSize, expected) => {
    const fields = { subsetSize, childPolicy: [{ random: {} }] };
    expect(read('random_subsetting_experimental', fields).subsetSize).toBe(expected);
  });

  it.each([0, 4_294_967_296, 1.5])('with a subset of %d endpoints are refused', (subsetSize) => {
    const fields = { subsetSize, childPolicy: [{ random: {} }] };
    expect(refused('random_subsetting_experimental', fields)).toContain(
      `config[0].random_subsetting_experimental.subsetSize is ${subsetSize}; allowed: `,
    );
  });

  it('are refused with the place of the wrong field', () => {
    const fields = { subsetSize: 1, childPolicy: [{ a: {} }, { peak_ewma: { decayMs: 0 } }] };
    expect(refused('random_subsetting_experimental', fields)).toContain(
      'config[0].random_subsetting_experimental.childPolicy[1].peak_ewma.decayMs is 0',
    );
  });
});
