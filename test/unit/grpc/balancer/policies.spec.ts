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
/** A request that has every header, with a value made of the header's name. */
const REQUEST = { header: (name: string) => `value of ${name}` };

describe('createBalancerSettings', () => {
  it('makes settings of round_robin over all endpoints if there are no options', () => {
    expect(settings({})).toMatchObject({
      policy: { name: 'round_robin' },
      pipeline: {},
      outliers: undefined,
      subset: undefined,
      healthService: undefined,
      ramp: { eager: 64, concurrency: 16 },
      connectTimeoutMs: 5_000,
    });
  });

  it('takes over the modifiers of a pipeline, and no field for those that are not set', () => {
    const slowStart = { windowMs: 1_000 };
    const routing = { match: { version: '2' } };
    expect(settings({ slowStart, routing }).pipeline).toStrictEqual({ routing, slowStart });
    expect(settings({}).pipeline).toStrictEqual({});
  });

  it.each(BUILT_IN)('knows the policy %s by its name', (policy) => {
    expect(settings({ policy, hashKey: 'user' }).policy.name).toBe(policy);
  });

  it('refuses a policy that is not in the table, and names the allowed ones', () => {
    expect(createUnknown).toThrow(DiscoveryError);
    expect(createUnknown).toThrow(
      '[INVALID_OPTION] option loadBalancing.policy is "fastest"; allowed: round_robin, ',
    );
  });

  it('takes the hash key from the metadata key that hashKey names, or from the one in which the interceptor put the result of a hashKey function', () => {
    const byKey = settings({ policy: 'consistent_hash', hashKey: 'user-id' }).policy;
    const byFunction = settings({ policy: 'consistent_hash', hashKey: () => 'x' }).policy;
    expect((byKey.options as ConsistentHashOptions).hashKey(REQUEST)).toBe('value of user-id');
    expect((byFunction.options as ConsistentHashOptions).hashKey(REQUEST)).toBe(
      `value of ${HASH_KEY_HEADER}`,
    );
  });

  it('gives a policy its options, and defaults for missing ones', () => {
    const given = { decayMs: 5, failurePenalty: 0 };
    expect(settings({ policy: 'peak_ewma', ...given }).policy.options).toEqual(given);
    const defaults = { decayMs: 1_000, failurePenalty: 100 };
    expect(settings({ policy: 'peak_ewma' }).policy.options).toEqual(defaults);
    expect(settings({ policy: 'consistent_hash', hashKey: 'user' }).policy.options).toMatchObject({
      loadFactor: 1.25,
      freeInFlight: 4,
    });
  });

  it('sets the options of latency estimates for peak_ewma, and for no other policy', () => {
    expect(settings({ policy: 'peak_ewma', decayMs: 5 }).policy.latency).toMatchObject({
      decayMs: 5,
    });
    expect(settings({ policy: 'least_request' }).policy.latency).toBeUndefined();
  });

  it("takes the client's zone for locality unless the option locality names a zone", () => {
    expect(settings({}, { zone: 'eu' }).pipeline).toEqual({ locality: { zone: 'eu' } });
    expect(settings({ locality: { zone: 'us' } }, { zone: 'eu' }).pipeline).toEqual({
      locality: { zone: 'us' },
    });
  });

  it('makes a subset of the client from its size, its id and its zone', () => {
    expect(settings({}, { subsetSize: 5 }).subset).toEqual({ size: 5, clientId: 'one' });
    expect(settings({}, { subsetSize: 5, zone: 'eu' }).subset).toMatchObject({ zone: 'eu' });
  });

  it.each([
    [undefined, undefined],
    [false, undefined],
    [true, {}],
    [{ maxEjectedShare: 0.5 }, { maxEjectedShare: 0.5 }],
  ])('turns outlierDetection %o into the outlier options %o', (outlierDetection, outliers) => {
    const given = outlierDetection === undefined ? {} : { outlierDetection };
    expect(settings(given).outliers).toEqual(outliers);
  });

  it.each([
    [undefined, undefined],
    [false, undefined],
    [true, ''],
    ['user.User', 'user.User'],
  ])('turns healthCheck %o into a check of the service %o', (healthCheck, service) => {
    const given = healthCheck === undefined ? {} : { healthCheck };
    expect(settings(given).healthService).toBe(service);
  });
});

describe('a policy of a user', () => {
  it('is known by its name after registerLoadBalancingPolicy(); the last factory of a name is used', () => {
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

  it.each(['', ...BUILT_IN])('cannot have the name %j', (name) => {
    const register = (): void => registerLoadBalancingPolicy(name, createPicker);
    expect(register).toThrow(DiscoveryError);
    expect(register).toThrow(
      `[INVALID_OPTION] load balancing policy name is "${name}"; allowed: a non-empty name other than ${BUILT_IN.join(', ')}`,
    );
  });
});
