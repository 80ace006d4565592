import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import { HASH_KEY_HEADER } from '../../../../lib/grpc/interceptors/hash-key.js';
import {
  type ClientTraits,
  createBalancerSettings,
  knownPolicies,
  LOAD_BALANCING_POLICIES,
  type LoadBalancingOptions,
  registerLoadBalancingPolicy,
} from '../../../../lib/grpc/balancer/policies.js';

const NOBODY: ClientTraits = { clientId: 'one', subsetSize: undefined, zone: undefined };
const settings = (options: LoadBalancingOptions, traits: Partial<ClientTraits> = {}) =>
  createBalancerSettings(options, { ...NOBODY, ...traits });

const createPicker = () => ({ pick: () => undefined as never });
const createUnknown = (): unknown => settings({ policy: 'fastest' });
/** Has every header, with its name as the value. */
const REQUEST = { header: (name: string) => `value of ${name}` };

describe('createBalancerSettings', () => {
  it('rotates over all endpoints where nothing is asked for', () => {
    expect(settings({})).toMatchObject({
      policy: { name: 'round_robin' },
      pipeline: {},
      outliers: undefined,
      subset: undefined,
      healthService: undefined,
    });
  });

  it.each(LOAD_BALANCING_POLICIES)('knows the policy %s by its name', (policy) => {
    expect(settings({ policy, hashKey: 'user' }).policy.name).toBe(policy);
  });

  it('refuses a policy that nobody knows, and names those it knows', () => {
    expect(createUnknown).toThrow(DiscoveryError);
    expect(createUnknown).toThrow(
      '[INVALID_OPTION] option loadBalancing.policy is "fastest"; allowed: round_robin, ',
    );
  });

  it('hashes by a metadata key, or by what a function left under a key of its own', () => {
    const byKey = settings({ policy: 'consistent_hash', hashKey: 'user-id' }).policy;
    const byFunction = settings({ policy: 'consistent_hash', hashKey: () => 'x' }).policy;
    expect(byKey.name === 'consistent_hash' && byKey.keyOf(REQUEST)).toBe('value of user-id');
    expect(byFunction.name === 'consistent_hash' && byFunction.keyOf(REQUEST)).toBe(
      `value of ${HASH_KEY_HEADER}`,
    );
  });

  it('hands the options of a policy on, and leaves those out that were not given', () => {
    expect(settings({ policy: 'peak_ewma', decayMs: 5, failurePenalty: 0 }).policy).toEqual({
      name: 'peak_ewma',
      decayMs: 5,
      failurePenalty: 0,
    });
    expect(settings({ policy: 'peak_ewma' }).policy).toEqual({ name: 'peak_ewma' });
  });

  it("takes the client's zone for locality unless the policy names one", () => {
    expect(settings({}, { zone: 'eu' }).pipeline).toEqual({ locality: { zone: 'eu' } });
    expect(settings({ locality: { zone: 'us' } }, { zone: 'eu' }).pipeline).toEqual({
      locality: { zone: 'us' },
    });
  });

  it('takes a subset by the client, of its own zone first', () => {
    expect(settings({}, { subsetSize: 5 }).subset).toEqual({ size: 5, clientId: 'one' });
    expect(settings({}, { subsetSize: 5, zone: 'eu' }).subset).toMatchObject({ zone: 'eu' });
  });

  it.each([
    [undefined, undefined],
    [false, undefined],
    [true, {}],
    [{ maxEjectedShare: 0.5 }, { maxEjectedShare: 0.5 }],
  ])('outlierDetection %o is %o', (outlierDetection, outliers) => {
    const given = outlierDetection === undefined ? {} : { outlierDetection };
    expect(settings(given).outliers).toEqual(outliers);
  });

  it.each([
    [undefined, undefined],
    [false, undefined],
    [true, ''],
    ['user.User', 'user.User'],
  ])('healthCheck %o asks about %o', (healthCheck, service) => {
    const given = healthCheck === undefined ? {} : { healthCheck };
    expect(settings(given).healthService).toBe(service);
  });
});

describe('a policy of a user', () => {
  it('is known by its name once it was registered, the last one counting', () => {
    registerLoadBalancingPolicy('mine', () => {
      throw new Error('replaced');
    });
    registerLoadBalancingPolicy('mine', createPicker);
    expect(knownPolicies()).toContain('mine');
    expect(settings({ policy: 'mine' }).policy).toEqual({ name: 'custom', createPicker });
  });

  it.each(['', ...LOAD_BALANCING_POLICIES])('cannot be called %j', (name) => {
    const register = (): void => registerLoadBalancingPolicy(name, createPicker);
    expect(register).toThrow(DiscoveryError);
    expect(register).toThrow(`[INVALID_OPTION] load balancing policy "${name}"`);
  });
});
