import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type ClientDefinition,
  DiscoveryModule,
  type DiscoveryModuleOptions,
  MemoryRegistry,
  StaticRegistry,
} from 'nestjs-grpc-discovery';
import { DEFAULT_REMOVAL_GUARD } from '../../../../lib/core/snapshot/removal-guard.js';
import { DISCOVERY_OPTIONS } from '../../../../lib/nest/discovery.tokens.js';
import type { ResolvedOptions } from '../../../../lib/nest/options/validate-options.js';
import { expectRejected, rejection } from './rejection.js';

const CLIENT = { name: 'api', package: 'user', protoPath: 'user.proto' };
const SECRET = 'hunter2';
/** A client of etcd that dials nothing before its first request. */
const ownClient = new Etcd3({ hosts: 'http://127.0.0.1:1' });
const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;

beforeEach(() => {
  vi.stubEnv('ETCD_HOSTS', undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(() => ownClient.close());

/** The checked options that the module makes of given options, whose values may have any type. */
function resolve(options: unknown): ResolvedOptions {
  const { providers = [] } = DiscoveryModule.forRoot(options as DiscoveryModuleOptions);
  const found = providers.find(
    (provider) => 'provide' in provider && provider.provide === DISCOVERY_OPTIONS,
  );
  if (found === undefined || !('useValue' in found)) throw new Error('no options provided');
  return found.useValue as ResolvedOptions;
}

/**
 * Wrong options, the option that the error names, how the error shows its value, and a part of what is
 * allowed.
 */
type BadInput = readonly [options: unknown, option: string, shown: string, allowed: string];

const service = (fields: object): object => ({ service: { name: 'api', ...fields } });
const etcd = (fields: object): object => ({ etcd: fields });
const client = (fields: object): object => ({ clients: [{ ...CLIENT, ...fields }] });

const BAD: readonly BadInput[] = [
  ['nonsense', 'forRoot', 'a string', 'an object with etcd, registry, service'],
  [null, 'forRoot', 'null', 'an object with etcd'],
  [[], 'forRoot', '[]', 'an object with etcd'],
  [{ services: [] }, 'forRoot.services', '[]', 'none; forRoot has etcd, registry, service'],
  [{ failFast: 'yes' }, 'failFast', '"yes"', 'true or false'],
  [{ registry: {} }, 'registry', '{}', 'an instance of Registry'],
  [{ registry: MemoryRegistry }, 'registry', 'a function', 'an instance of Registry'],
  [
    { registry: new MemoryRegistry(), etcd: {} },
    'etcd',
    'given beside registry',
    'one of etcd and registry',
  ],

  [etcd({ hosts: [] }), 'etcd.hosts', '[]', 'at least one of http://host:port'],

  [{ service: 'api' }, 'service', 'a string', 'an object with name, ttlSeconds'],
  [{ service: {} }, 'service.name', 'undefined', 'a non-empty string'],
  [service({ name: '' }), 'service.name', '""', 'a non-empty string'],
  [service({ name: 'api/' }), 'service.name', '"api/"', 'without a slash at its end'],
  [service({ name: 'a\nb' }), 'service.name', String.raw`"a\nb"`, 'without control characters'],
  [service({ ttl: 10 }), 'service.ttl', '10', 'none; service has name, ttlSeconds'],
  [service({ ttlSeconds: 0 }), 'service.ttlSeconds', '0', 'a whole number from 1 to 86400'],
  [service({ ttlSeconds: 1.5 }), 'service.ttlSeconds', '1.5', 'a whole number from 1'],
  [service({ ttlSeconds: Number.NaN }), 'service.ttlSeconds', 'NaN', 'a whole number from 1'],
  [service({ ttlSeconds: 86_401 }), 'service.ttlSeconds', '86401', 'to 86400'],
  [service({ address: 'h:0' }), 'service.address', '"h:0"', 'a port from 1 to 65535'],
  [service({ address: 'h' }), 'service.address', '"h"', 'host:port or [ipv6]:port'],
  [service({ address: '0.0.0.0:1' }), 'service.address', '"0.0.0.0:1"', 'no wildcard'],
  [service({ address: '[::]:1' }), 'service.address', '"[::]:1"', 'no wildcard'],
  [service({ address: 9999 }), 'service.address', '9999', 'host:port'],
  [service({ host: 'h:1' }), 'service.host', '"h:1"', 'without a port'],
  [service({ host: 'http://10.0.0.1' }), 'service.host', '"http://10.0.0.1"', 'without a port'],
  [service({ host: '10.0.0.1:1:x' }), 'service.host', '"10.0.0.1:1:x"', 'without a port'],
  [
    service({ address: '[hello]:80' }),
    'service.address',
    '"[hello]:80"',
    'host:port or [ipv6]:port',
  ],
  [
    service({ address: '[::ffff:0.0.0.0]:80' }),
    'service.address',
    '"[::ffff:0.0.0.0]:80"',
    'no wildcard',
  ],
  [service({ host: '::' }), 'service.host', '"::"', 'no wildcard'],
  [service({ host: 'h', address: 'h:1' }), 'service.host', '"h"', 'none beside address'],
  [service({ weight: 0 }), 'service.weight', '0', 'a number above 0, up to 1000000'],
  [service({ weight: '2' }), 'service.weight', '"2"', 'a number above 0'],
  [service({ weight: Infinity }), 'service.weight', 'Infinity', 'a number above 0'],
  [service({ version: 2 }), 'service.version', '2', 'a non-empty string'],
  [service({ zone: '' }), 'service.zone', '""', 'a non-empty string'],
  [service({ server: '' }), 'service.server', '""', 'a non-empty string'],
  [service({ server: 50051 }), 'service.server', '50051', 'a non-empty string'],
  [service({ key: '' }), 'service.key', '""', 'a non-empty string'],
  [service({ metadata: [] }), 'service.metadata', '[]', 'an object of JSON values'],
  [service({ metadata: { a: 1n, b: NaN } }), 'service.metadata', '"not JSON', 'JSON values'],
  [service({ metadata: { at: new Date(0) } }), 'service.metadata', '"not JSON', 'JSON values'],
  [service({ metadata: new Map() }), 'service.metadata', '"not JSON', 'JSON values'],
  [service({ metadata: cyclic }), 'service.metadata', '"not JSON', 'JSON values'],
  [
    service({ metadata: { draining: true } }),
    'service.metadata.draining',
    'true',
    'a record says it by itself',
  ],
  [
    service({ metadata: { weight: 2 } }),
    'service.metadata.weight',
    '2',
    'there is an option service.weight',
  ],
  [service({ drainDelayMs: -1 }), 'service.drainDelayMs', '-1', 'a whole number from 0'],
  [{ service: [{ name: 'a' }, { name: 'a' }] }, 'service', '"a"', 'each service name once'],
  [
    { service: [{ name: 'team' }, { name: 'team2' }, { name: 'team/api' }] },
    'service',
    '"team/api"',
    'no name that begins with another one and a slash: clients of "team" would get the records',
  ],
  [{ service: [{ name: 'a' }, {}] }, 'service[1].name', 'undefined', 'a non-empty string'],

  [{ clients: [CLIENT, CLIENT] }, 'clients', '"api"', 'each client name once'],
  [client({ url: 'h:1' }), 'clients[0].url', 'a string', 'none; clients[0] has name, service'],
  [
    { clientDefaults: { keepalive: { x: 1 } } },
    'clientDefaults.keepalive.x',
    '1',
    'none; clientDefaults.keepalive has keepaliveTimeMs',
  ],
  [service({ ttlSecond: 5 }), 'service.ttlSecond', '5', 'did you mean ttlSeconds?'],
  [{ removalGuard: { maxholdMs: 5 } }, 'removalGuard.maxholdMs', '5', 'did you mean maxHoldMs?'],
];

describe('the module rejects wrong options before it dials anything', () => {
  const rows = BAD.map(([options, option, shown, allowed]) => ({
    options,
    option,
    shown,
    allowed,
  }));

  it.each(rows)(
    'with the error: option $option is $shown; allowed: … $allowed …',
    ({ options, option, shown, allowed }) => {
      expectRejected(() => resolve(options), option, shown, allowed);
    },
  );

  it('also in the client definitions of forFeature', () => {
    const definitions = [CLIENT, { ...CLIENT, name: 'web', loadBalancing: 'fastest' }];
    const error = rejection(() =>
      DiscoveryModule.forFeature(definitions as readonly ClientDefinition[]),
    );
    expect(error.message).toMatch(
      /^\[INVALID_OPTION\] option forFeature\[1\]\.loadBalancing is "fastest"; allowed: round_robin/,
    );
    const notAList = rejection(() =>
      DiscoveryModule.forFeature(CLIENT as unknown as readonly ClientDefinition[]),
    );
    expect(notAList.message).toContain('option forFeature is');
  });

  it('also in ETCD_HOSTS, and the error names that variable', () => {
    vi.stubEnv('ETCD_HOSTS', 'h:1,h');
    expect(rejection(() => resolve({})).message).toMatch(
      /^\[INVALID_OPTION\] option ETCD_HOSTS is "…" \(a name without a port\); allowed: http:\/\/host:port/,
    );
  });

  it.each([
    [{ usefactory: () => ({}) }, 'forRootAsync.usefactory', 'did you mean useFactory?'],
    [{ useFactory: () => ({}), useClass: Object }, 'forRootAsync', 'one of useFactory, useClass'],
  ])('also in the fields of forRootAsync: %o', (options, option, allowed) => {
    const { message } = rejection(() => DiscoveryModule.forRootAsync(options as never));
    expect(message).toContain(`option ${option} is`);
    expect(message).toContain(allowed);
  });

  it('also in a forRootAsync without useFactory, useClass and useExisting', () => {
    expect(rejection(() => DiscoveryModule.forRootAsync({})).message).toContain(
      'option forRootAsync is {}; allowed: one of useFactory, useClass, useExisting',
    );
  });
});

describe('an error about options never shows', () => {
  it.each([
    ['a password of another type', etcd({ auth: { username: 'root', password: [SECRET] } })],
    ['auth as one text', etcd({ auth: `root:${SECRET}` })],
    ['a misspelt password', etcd({ auth: { username: 'root', pasword: SECRET } })],
    ['a password beside auth', etcd({ password: SECRET })],
    ['a misspelt auth', etcd({ autth: { username: 'root', password: SECRET } })],
    ['a misspelt etcd', { etdc: { auth: { username: 'root', password: SECRET } } }],
    ['options in place of a client', etcd({ client: { auth: { password: SECRET } } })],
    ['options in place of a registry', { registry: { tls: { key: SECRET } } }],
    [
      'a key without a certificate',
      etcd({ hosts: ['https://h:1'], tls: { ca: 'x', key: SECRET } }),
    ],
    [
      'a key of another type',
      etcd({ hosts: ['https://h:1'], tls: { ca: 'x', cert: 'y', key: { SECRET } } }),
    ],
    [
      'a key in place of a certificate',
      etcd({ hosts: ['https://h:1'], tls: { ca: `-----BEGIN PRIVATE KEY-----\n${SECRET}` } }),
    ],
    ['a key without its first line', etcd({ hosts: ['https://h:1'], tls: { ca: SECRET } })],
    ['a misspelt key', etcd({ hosts: ['https://h:1'], tls: { ca: 'x', privatKey: SECRET } })],
    ['a key outside of tls', etcd({ privateKey: SECRET })],
    ['a user and password in a url', etcd({ hosts: [`http://root:${SECRET}@h:1`] })],
    ['a user and password without a scheme', etcd({ hosts: [`root:${SECRET}@h:1`] })],
    ['a password that contains an @', etcd({ hosts: [`http://root:${SECRET}@${SECRET}@h:1`] })],
    ['several urls at once', etcd({ hosts: `http://root:${SECRET}@h:1,http://h:2` })],
    ['urls beside a client', etcd({ client: ownClient, hosts: [`root:${SECRET}@h:1`] })],
    ['credentials that are none', client({ credentials: { token: SECRET } })],
  ])('%s', (_, options) => {
    const error = rejection(() => resolve(options));
    expect(error.code).toBe('INVALID_OPTION');
    expect(`${error.message} ${JSON.stringify(error)} ${error.stack}`).not.toContain(SECRET);
  });
});

describe('valid options', () => {
  it('can be left out: the application is then a client of the etcd on this machine', () => {
    expect(resolve(undefined)).toMatchObject({
      registry: undefined,
      etcd: { hosts: ['http://127.0.0.1:2379'], namespace: '' },
      services: [],
      clients: [],
      clientDefaults: {},
      failFast: false,
    });
  });

  it('give a service a time to live of 10 s and no metadata if it sets neither', () => {
    const [resolved] = resolve({ service: { name: 'api' } }).services;
    expect(resolved).toMatchObject({
      name: 'api',
      ttlSeconds: 10,
      address: undefined,
      host: undefined,
      key: undefined,
      metadata: null,
      drainDelayMs: 200,
      drainTimeoutMs: 10_000,
    });
  });

  it("keep weight, version and zone apart from the user's metadata", () => {
    const [resolved] = resolve(
      service({ weight: 2, version: '1.2', zone: 'eu', metadata: { team: { name: 'a' } } }),
    ).services;
    expect(resolved?.metadata).toEqual({ team: { name: 'a' } });
    expect(resolved?.discovery).toEqual({ weight: 2, version: '1.2', zone: 'eu' });
  });

  it('turn empty metadata into null, because an empty object ends some Go clients with a panic', () => {
    expect(resolve(service({ metadata: {} })).services[0]).toMatchObject({
      metadata: null,
      discovery: {},
    });
  });

  it.each([
    ['team/api', {}],
    ['/api', {}],
    ['sérvice 漢', {}],
    ['api', { ttlSeconds: 1 }],
    ['api', { ttlSeconds: 86_400 }],
    ['api', { weight: 0.001 }],
    ['api', { weight: 1_000_000 }],
    ['api', { address: '[::1]:9999' }],
    ['api', { address: 'unix:/tmp/x' }],
    ['api', { host: '10.0.0.7' }],
    ['api', { host: 'fe80::1%eth0' }],
    ['api', { metadata: {} }],
    ['api', { metadata: { id: 18_446_744_073_709_551_615n } }],
  ])('may contain a service %s with %o', (name, fields) => {
    expect(resolve({ service: { name, ...fields } }).services).toHaveLength(1);
  });

  it('may contain service names that begin alike, unless a slash follows the common part', () => {
    const names = ['team', 'team2', 'team-a/b', 'team-a/b2'];
    expect(resolve({ service: names.map((name) => ({ name })) }).services).toHaveLength(4);
  });

  it('contain an IPv6 host without its brackets, because the port is appended later', () => {
    expect(resolve(service({ host: '[::1]' })).services[0]?.host).toBe('::1');
  });

  it('keep several services in their order', () => {
    const { services } = resolve({ service: [{ name: 'a' }, { name: 'b', ttlSeconds: 5 }] });
    expect(services.map(({ name, ttlSeconds }) => [name, ttlSeconds])).toEqual([
      ['a', 10],
      ['b', 5],
    ]);
  });

  it('may contain a registry in place of etcd', () => {
    const registry = new StaticRegistry({ api: ['h:1'] });
    const resolved = resolve({ registry });
    expect(resolved.registry).toBe(registry);
    expect(resolved.etcd).toBeUndefined();
  });

  it('are copied and frozen', () => {
    const metadata = { team: 'a' };
    const hosts = ['h:1'];
    const resolved = resolve({
      etcd: { hosts, auth: { username: 'u', password: 'p' } },
      service: { name: 'api', metadata },
      clients: [CLIENT],
      clientDefaults: { timeoutMs: 1 },
    });
    const parts = [
      resolved,
      resolved.etcd,
      resolved.etcd?.hosts,
      resolved.etcd?.auth,
      resolved.services,
      resolved.services[0],
      resolved.services[0]?.metadata,
      resolved.services[0]?.discovery,
      resolved.clients,
      resolved.clients[0],
      resolved.clientDefaults,
    ];
    for (const part of parts) {
      expect(part).toBeDefined();
      expect(Object.isFrozen(part)).toBe(true);
    }
    metadata.team = 'b';
    hosts.push('h:2');
    expect(resolved.services[0]?.metadata).toEqual({ team: 'a' });
    expect(resolved.etcd?.hosts).toEqual(['http://h:1']);
  });
});

describe('the option removalGuard', () => {
  it('is by default the guard with its defaults, and no guard if it is false', () => {
    expect(resolve({}).removalGuard).toBe(DEFAULT_REMOVAL_GUARD);
    expect(resolve({ removalGuard: {} }).removalGuard).toEqual(DEFAULT_REMOVAL_GUARD);
    expect(resolve({ removalGuard: false }).removalGuard).toBeUndefined();
  });

  it.each<[field: string, least: number, most: number]>([
    ['maxHoldMs', 0, 86_400_000],
    ['minShare', 0, 1],
    ['windowMs', 0, 3_600_000],
    ['recoveryMs', 0, 3_600_000],
  ])(
    'may set %s to %i at least and %i at most, and the other fields keep their defaults',
    (field, ...bounds) => {
      for (const value of bounds) {
        const removalGuard = { [field]: value };
        expect(resolve({ removalGuard }).removalGuard).toEqual({
          ...DEFAULT_REMOVAL_GUARD,
          ...removalGuard,
        });
      }
      for (const value of [bounds[0] - 1, bounds[1] + 1]) {
        const act = (): unknown => resolve({ removalGuard: { [field]: value } });
        expectRejected(act, `removalGuard.${field}`, String(value), 'a ');
      }
    },
  );

  it.each<[unknown, string]>([
    [true, 'false, or an object with maxHoldMs, minShare, windowMs, recoveryMs'],
    ['off', 'false, or an object with maxHoldMs, minShare, windowMs, recoveryMs'],
    [null, 'an object with maxHoldMs, minShare, windowMs, recoveryMs'],
  ])('is rejected as %j', (removalGuard, allowed) => {
    const shown = JSON.stringify(removalGuard);
    expectRejected(() => resolve({ removalGuard }), 'removalGuard', shown, allowed);
  });

  it('is frozen', () => {
    expect(Object.isFrozen(resolve({ removalGuard: { windowMs: 1 } }).removalGuard)).toBe(true);
  });
});

const check = (): boolean => true;

describe('the option readiness', () => {
  it('may be the check itself, or the check with its times', () => {
    expect(resolve({}).readiness).toBeUndefined();
    expect(resolve({ readiness: check }).readiness).toStrictEqual({ check });
    const whole = { check, intervalMs: 500, timeoutMs: 300 };
    const { readiness } = resolve({ readiness: whole });
    expect(readiness).toStrictEqual(whole);
    expect(Object.isFrozen(readiness)).toBe(true);
  });

  it.each(['intervalMs', 'timeoutMs'])('may set %s from 10 ms to an hour', (field) => {
    for (const value of [10, 3_600_000]) {
      expect(resolve({ readiness: { check, [field]: value } }).readiness).toMatchObject({
        [field]: value,
      });
    }
    for (const value of [9, 3_600_001, 10.5, '1s']) {
      const act = (): unknown => resolve({ readiness: { check, [field]: value } });
      expectRejected(act, `readiness.${field}`, JSON.stringify(value), 'from 10 to 3600000');
    }
  });

  it.each<[unknown, option: string, shown: string, allowed: string]>([
    [{}, 'readiness.check', 'undefined', 'a function'],
    [{ check: 'yes' }, 'readiness.check', '"yes"', 'a function'],
    [true, 'readiness', 'true', 'an object with check, intervalMs, timeoutMs'],
    [{ check, interval: 5 }, 'readiness.interval', '5', 'did you mean intervalMs?'],
  ])('is rejected as %j', (readiness, option, shown, allowed) => {
    expectRejected(() => resolve({ readiness }), option, shown, allowed);
  });
});

it.each(['health', 'failFast'] as const)('the option %s is off unless it is true', (name) => {
  expect(resolve({})[name]).toBe(false);
  expect(resolve({ [name]: false })[name]).toBe(false);
  expect(resolve({ [name]: true })[name]).toBe(true);
  expectRejected(() => resolve({ [name]: 1 }), name, '1', 'true or false');
});

it('the hosts of etcd come from the environment variable ETCD_HOSTS if no option has them', () => {
  vi.stubEnv('ETCD_HOSTS', 'h:1');
  expect(resolve({}).etcd?.hosts).toEqual(['http://h:1']);
});
