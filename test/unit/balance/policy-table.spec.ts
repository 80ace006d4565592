/** The table of policies, and the recipe in docs/architecture.md that adds one. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FleetLoad } from '../../../lib/balance/load/fleet-load.js';
import { configurePolicy } from '../../../lib/balance/policy.js';
import type { PolicyDefinition } from '../../../lib/balance/policy-definition.js';
import {
  BUILT_IN_POLICIES,
  neededOptions,
  PolicyTable,
} from '../../../lib/balance/policy-table.js';
import { isUsableList } from '../../../lib/grpc/list-facts.js';
import {
  createBalancerSettings,
  type LoadBalancingOptions,
} from '../../../lib/grpc/balancer/policies.js';
import { readServicePolicy } from '../../../lib/grpc/service-config/service-config-policy.js';
import { validateLoadBalancing } from '../../../lib/nest/options/validate-load-balancing.js';
import { projectRoot } from '../../support/project-root.js';
import { seededRandom } from '../../support/seeded-random.js';
import { leastOfMany } from './example-policy.js';
import { candidates, countPicks, poolOf } from './fixtures.js';

const DEFINITIONS: readonly PolicyDefinition[] = BUILT_IN_POLICIES;

describe('PolicyTable', () => {
  it('the table names the built-in policies and their options in the order of the errors', () => {
    const table = new PolicyTable();
    expect(table.names).toEqual([
      'round_robin',
      'weighted_round_robin',
      'least_request',
      'peak_ewma',
      'consistent_hash',
      'random',
      'pick_first',
    ]);
    expect(table.optionNames).toEqual([
      'decayMs',
      'failurePenalty',
      'hashKey',
      'loadFactor',
      'freeInFlight',
    ]);
  });

  it('the table has the facts that the balancer reads of each built-in policy', () => {
    const facts = DEFINITIONS.map(({ name, usesWeight, usesLoad, needsWholeList, connects }) => [
      name,
      [usesWeight && 'weight', usesLoad && 'load', needsWholeList && 'list'].filter(Boolean),
      connects,
    ]);
    expect(facts).toEqual([
      ['round_robin', [], 'all'],
      ['weighted_round_robin', ['weight'], 'all'],
      ['least_request', ['weight', 'load'], 'all'],
      ['peak_ewma', ['weight', 'load'], 'all'],
      ['consistent_hash', ['weight', 'load', 'list'], 'all'],
      ['random', [], 'all'],
      ['pick_first', ['list'], 'first'],
    ]);
  });

  it('the table finds the policies that have an option, and none for an unknown name', () => {
    const table = new PolicyTable([
      ...DEFINITIONS,
      { ...leastOfMany, options: { decayMs: OPTION } },
    ]);
    expect(table.ownersOf('decayMs')).toEqual(['peak_ewma', 'least_of_many']);
    expect(table.ownersOf('toString')).toEqual([]);
    expect(table.find('fastest')).toBeUndefined();
  });

  it('the table replaces a policy when another policy is added under its name', () => {
    const table = new PolicyTable([leastOfMany]);
    const other = { ...leastOfMany, usesWeight: true };
    table.add(other);
    expect([table.names, table.find('least_of_many')]).toEqual([['least_of_many'], other]);
  });
});

const OPTION = { kind: 'number', minimum: 0, maximum: 1, default: 0 } as const;

describe('an option of a built-in policy', () => {
  const options = DEFINITIONS.flatMap(({ options }) => Object.entries(options));

  it('has a default within its bounds', () => {
    const outside = options.filter(
      ([, option]) =>
        option.kind !== 'hashKey' &&
        !(option.default >= option.minimum && option.default <= option.maximum),
    );
    expect(outside).toEqual([]);
  });

  it('whose value is a key is called hashKey, because the interceptor of clients reads that name', () => {
    const keys = options.filter(([, { kind }]) => kind === 'hashKey').map(([name]) => name);
    expect([...new Set(keys)]).toEqual(['hashKey']);
  });

  it('must be set by the user only if it has no default', () => {
    const needed = DEFINITIONS.map((one) => [one.name, neededOptions(one)] as const);
    expect(needed.filter(([, names]) => names.length > 0)).toEqual([
      ['consistent_hash', ['hashKey']],
    ]);
  });
});

describe('the policy that docs/architecture.md adds', () => {
  const table = new PolicyTable([...DEFINITIONS, leastOfMany]);
  const validate = (value: unknown) => validateLoadBalancing('loadBalancing', value, table);
  const publish = (fields: object) =>
    readServicePolicy('loadBalancingConfig', [{ least_of_many: fields }], table).options;
  const settings = (options: LoadBalancingOptions) =>
    createBalancerSettings(
      options,
      { clientId: 'one', subsetSize: undefined, zone: undefined },
      table,
    );

  it('has the same code in the document as in this test', () => {
    const root = projectRoot(import.meta.url);
    const file = readFileSync(new URL('example-policy.ts', import.meta.url), 'utf8')
      .replaceAll('../../../lib/balance/', '../')
      .replaceAll('../../../lib/', '../../');
    const docs = readFileSync(`${root}/docs/architecture.md`, 'utf8');
    expect(docs).toContain(
      `<!-- lib/balance/policies/least-of-many.ts -->\n\n\`\`\`ts\n${file}\`\`\``,
    );
  });

  it('is unknown before it is in the table', () => {
    expect(() => validateLoadBalancing('loadBalancing', 'least_of_many')).toThrow(
      'option loadBalancing is "least_of_many"; allowed: round_robin, ',
    );
  });

  it('passes validation by its name and with its option', () => {
    expect(validate('least_of_many')).toEqual({ policy: 'least_of_many' });
    const given = { policy: 'least_of_many', choices: 5 };
    expect(validate(given)).toEqual(given);
  });

  it.each([
    [
      { policy: 'least_of_many', choices: 11 },
      'choices is 11; allowed: a whole number from 2 to 10',
    ],
    [
      { policy: 'random', choices: 5 },
      'choices is "set with policy random"; allowed: policy least_of_many only',
    ],
    [
      { policy: 'least_of_many', choises: 5 },
      'choises is 5; allowed: none; loadBalancing has policy, ',
    ],
    [{ policy: 'least_of_mny' }, 'did you mean least_of_many?'],
  ])('is refused with wrong options: %o', (given, text) => {
    expect(() => validate(given)).toThrow(text);
  });

  it('is read from a service config, with the same bounds', () => {
    expect(publish({})).toEqual({ policy: 'least_of_many' });
    expect(publish({ choices: 2 })).toEqual({ policy: 'least_of_many', choices: 2 });
    expect(() => publish({ choices: 1 })).toThrow(
      'loadBalancingConfig[0].least_of_many.choices is 1; allowed: a whole number from 2 to 10',
    );
  });

  it('tells the balancer what it uses and to which endpoints it connects, and has a default for its option', () => {
    const { policy } = settings({ policy: 'least_of_many' });
    expect(policy).toMatchObject({
      name: 'least_of_many',
      usesWeight: false,
      usesLoad: true,
      connects: 'all',
      options: { choices: 3 },
    });
    expect(isUsableList({ isPart: true }, settings({ policy: 'least_of_many' }))).toBe(true);
  });

  it('picks the least busy of as many endpoints as its option says', () => {
    const context = { random: seededRandom(1), fleet: new FleetLoad() };
    const list = candidates(10);
    for (const { load } of list.slice(1)) load.started(0);
    const shareOfIdle = (choices: number): number => {
      const policy = configurePolicy(leastOfMany, { choices });
      const picker = policy.createPicker(poolOf(list), context, undefined);
      return (countPicks(picker, 10_000).get('10.0.0.1:1') ?? 0) / 10_000;
    };
    // Among n draws with replacement is the idle endpoint in 1 - 0.9^n of calls; ε: 4 standard deviations.
    expect(Math.abs(shareOfIdle(2) - 0.19)).toBeLessThan(0.016);
    expect(Math.abs(shareOfIdle(10) - 0.651)).toBeLessThan(0.02);
  });
});
