import { describe, expect, it } from 'vitest';
import { MemoryRegistry } from 'nestjs-grpc-discovery';
import { validateOptions } from '../../../../lib/nest/options/validate-options.js';
import {
  type ResolvedService,
  updatedRecord,
} from '../../../../lib/nest/options/validate-service.js';
import { rejection } from './rejection.js';

function resolve(given: object): ResolvedService | undefined {
  const service = { name: 'api', ...given };
  return validateOptions({ registry: new MemoryRegistry(), service }, {}).services[0];
}

it('a service gets the defaults of the options that it leaves out', () => {
  expect(resolve({})).toEqual({
    name: 'api',
    ttlSeconds: 10,
    address: undefined,
    host: undefined,
    server: undefined,
    key: undefined,
    drainDelayMs: 200,
    drainTimeoutMs: 10_000,
    maxConnectionAgeMs: undefined,
    maxConnectionAgeGraceMs: 10_000,
    metadata: null,
    discovery: {},
  });
});

const BOUNDS: [name: string, least: number, most: number][] = [
  ['ttlSeconds', 1, 86_400],
  ['drainDelayMs', 0, 600_000],
  ['drainTimeoutMs', 0, 3_600_000],
  ['maxConnectionAgeMs', 100, 86_400_000],
  ['maxConnectionAgeGraceMs', 0, 86_400_000],
];

describe.each(BOUNDS)('the option %s, a whole number from %i to %i,', (name, least, most) => {
  it('is accepted at both of its bounds', () => {
    expect(resolve({ [name]: least })).toMatchObject({ [name]: least });
    expect(resolve({ [name]: most })).toMatchObject({ [name]: most });
  });

  it.each([least - 1, most + 1, least + 0.5, '5', null])('is rejected if it is %j', (value) => {
    expect(() => resolve({ [name]: value })).toThrow(`[INVALID_OPTION] option service.${name} is `);
  });
});

describe('the option host of a service', () => {
  it.each([
    ['example.org', 'example.org'],
    ['10.0.0.1', '10.0.0.1'],
    ['[::1]', '::1'],
    ['::1', '::1'],
  ])('accepts %s, and advertises %s', (host, expected) => {
    expect(resolve({ host })?.host).toBe(expected);
  });

  it.each(['', '0.0.0.0', '::', 'example.org:80', 'a b', 7])('rejects %j', (host) => {
    expect(() => resolve({ host })).toThrow('[INVALID_OPTION] option service.host is ');
  });
});

/** Why the error says that metadata is not JSON. */
const reasonOf = (metadata: object): string => {
  const { message } = rejection(() => resolve({ metadata }));
  return /"not JSON \((.*?)(?:\)"|…)/.exec(message)?.[1] ?? '';
};

describe('the option metadata of a service', () => {
  it('becomes null if the user gave none or an empty object, else stays as given', () => {
    expect(resolve({ metadata: { team: 'a' } })?.metadata).toEqual({ team: 'a' });
    expect(resolve({ metadata: {} })?.metadata).toBeNull();
  });

  it.each(['weight', 'version', 'zone', 'maxConnectionAgeMs', 'draining'])(
    'must not have a field %s',
    (field) => {
      expect(() => resolve({ metadata: { [field]: '1' } })).toThrow(
        `[INVALID_OPTION] option service.metadata.${field} is "1"; allowed: none;`,
      );
    },
  );

  it('must consist of JSON values', () => {
    expect(() => resolve({ metadata: { rate: Number.NaN } })).toThrow(
      '[INVALID_OPTION] option service.metadata is "not JSON (',
    );
  });

  it('is rejected with the reason, whether this library or the value itself gives it', () => {
    expect(reasonOf({ rate: Number.NaN })).not.toMatch(/INVALID|undefined|^$/);
    const broken = Object.defineProperty({}, 'rate', {
      enumerable: true,
      get: () => {
        throw new Error('no rate');
      },
    });
    expect(reasonOf(broken)).toBe('Error: no rate');
  });
});

describe('updatedRecord', () => {
  const before = { metadata: { team: 'a', tier: 1 }, discovery: { weight: 2, zone: 'a' } };

  it('merges the changed fields into the record, also inside the metadata', () => {
    const after = updatedRecord('update', before, { weight: 3, metadata: { tier: 2 } });
    expect(after).toEqual({
      metadata: { team: 'a', tier: 2 },
      discovery: { weight: 3, zone: 'a' },
    });
    expect(updatedRecord('update', before, {})).toEqual(before);
    expect(updatedRecord('update', { metadata: null, discovery: {} }, { version: '2' })).toEqual({
      metadata: null,
      discovery: { version: '2' },
    });
  });

  it('rejects fields and values that a service may not have', () => {
    expect(() => updatedRecord('update', before, { weight: 0 })).toThrow(
      'option update.weight is 0',
    );
    expect(() => updatedRecord('update', before, { name: 'b' } as object)).toThrow('update.name');
  });
});
