import { describe, expect, it } from 'vitest';
import { FleetLoad } from '../../../../lib/balance/load/fleet-load.js';
import type { ConsistentHashOptions } from '../../../../lib/balance/policies/consistent-hash.js';
import { BUILT_IN_POLICIES } from '../../../../lib/balance/policy-table.js';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import { HASH_KEY_HEADER } from '../../../../lib/grpc/interceptors/hash-key.js';
import { poolOf } from '../../balance/fixtures.js';
import {
  type ClientTraits,
  createBalancerSettings,
  type LoadBalancingOptions,
  POLICIES,
  registerLoadBalancingPolicy,
} from '../../../../lib/grpc/balancer/policies.js';

const BUILT_IN = BUILT_IN_POLICIES.map(({ name }) => name);
const NO_TRAITS: ClientTraits = { clientId: 'one', subsetSize: undefined, zone: undefined };
const settings = (options: LoadBalancingOptions, traits: Partial<ClientTraits> = {}) =>
  createBalancerSettings(options, { ...NO_TRAITS, ...traits });

const PICKER = { pick: () => undefined as never };
const createPicker = () => PICKER;
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

  it.each(BUILT_IN)('knows the policy %s by its name', (policy) => {
    expect(settings({ policy, hashKey: 'user' }).policy.name).toBe(policy);
  });

  it('refuses a policy that is not in the table, and names those that are', () => {
    expect(createUnknown).toThrow(DiscoveryError);
    expect(createUnknown).toThrow(
      '[INVALID_OPTION] option loadBalancing.policy is "fastest"; allowed: round_robin, ',
    );
  });

  it('hashes by the metadata key of the client, or by the key that its function left in the metadata', () => {
    const byKey = settings({ policy: 'consistent_hash', hashKey: 'user-id' }).policy;
    const byFunction = settings({ policy: 'consistent_hash', hashKey: () => 'x' }).policy;
    expect((byKey.options as ConsistentHashOptions).hashKey(REQUEST)).toBe('value of user-id');
    expect((byFunction.options as ConsistentHashOptions).hashKey(REQUEST)).toBe(
      `value of ${HASH_KEY_HEADER}`,
    );
  });

  it('gives a policy its options, and defaults for those that were not given', () => {
    const given = { decayMs: 5, failurePenalty: 0 };
    expect(settings({ policy: 'peak_ewma', ...given }).policy.options).toEqual(given);
    const defaults = { decayMs: 1_000, failurePenalty: 100 };
    expect(settings({ policy: 'peak_ewma' }).policy.options).toEqual(defaults);
    expect(settings({ policy: 'consistent_hash', hashKey: 'user' }).policy.options).toMatchObject({
      loadFactor: 1.25,
      freeInFlight: 4,
    });
  });

  it('the estimate of latency follows the options of peak_ewma, and of no other policy', () => {
    expect(settings({ policy: 'peak_ewma', decayMs: 5 }).policy.latency).toMatchObject({
      decayMs: 5,
    });
    expect(settings({ policy: 'least_request' }).policy.latency).toBeUndefined();
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
  it('is known by its name once a user registered it; the last factory of a name counts', () => {
    registerLoadBalancingPolicy('mine', () => {
      throw new Error('replaced');
    });
    registerLoadBalancingPolicy('mine', createPicker);
    expect(POLICIES.names).toContain('mine');
    const { policy } = settings({ policy: 'mine' });
    expect(policy).toMatchObject({
      name: 'mine',
      usesWeight: true,
      usesLoad: true,
      needsWholeList: true,
      connects: 'all',
    });
    const context = { random: () => 0, fleet: new FleetLoad() };
    expect(policy.createPicker(poolOf([]), context, undefined)).toBe(PICKER);
  });

  it.each(['', ...BUILT_IN])('cannot be called %j', (name) => {
    const register = (): void => registerLoadBalancingPolicy(name, createPicker);
    expect(register).toThrow(DiscoveryError);
    expect(register).toThrow(`[INVALID_OPTION] load balancing policy "${name}"`);
  });
});
