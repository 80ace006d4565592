import { readFileSync } from 'node:fs';
import { ChannelCredentials } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type ClientDefinition,
  DiscoveryError,
  DiscoveryModule,
  type DiscoveryModuleOptions,
  MemoryRegistry,
  StaticRegistry,
} from 'nestjs-grpc-discovery';
import { DISCOVERY_OPTIONS } from '../../../../lib/nest/discovery.tokens.js';
import type { ResolvedOptions } from '../../../../lib/nest/options/validate-options.js';

const CLIENT = { name: 'api', package: 'user', protoPath: 'user.proto' };
const SECRET = 'hunter2';
const tlsFile = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/tls/${name}.pem`, import.meta.url), 'utf8');
const TLS = { ca: tlsFile('ca'), cert: tlsFile('client'), key: tlsFile('client-key') };
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

function rejection(act: () => unknown): DiscoveryError {
  try {
    act();
  } catch (error) {
    if (error instanceof DiscoveryError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
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

  [{ etcd: 'http://h:2379' }, 'etcd', 'a string', 'an object with hosts'],
  [etcd({ host: 'h:2379' }), 'etcd.host', 'a string', 'none; etcd has hosts, namespace'],
  [etcd({ hosts: [] }), 'etcd.hosts', '[]', 'at least one of http://host:port'],
  [etcd({ hosts: 'h:2379' }), 'etcd.hosts', '"h:2379"', 'an array of http://host:port'],
  [
    etcd({ hosts: [2379] }),
    'etcd.hosts',
    'a value of type number',
    'http://host:port or https://host:port',
  ],
  [etcd({ hosts: [''] }), 'etcd.hosts', '""', 'http://host:port'],
  [etcd({ hosts: ['http://h'] }), 'etcd.hosts', '"http://h"', 'http://host:port'],
  [etcd({ hosts: ['h:0'] }), 'etcd.hosts', '"h:0"', 'http://host:port'],
  [etcd({ hosts: ['h:65536'] }), 'etcd.hosts', '"h:65536"', 'http://host:port'],
  [etcd({ hosts: ['ftp://h:1'] }), 'etcd.hosts', '"ftp://h:1"', 'http://host:port'],
  [etcd({ hosts: ['h:1/path'] }), 'etcd.hosts', '"h:1/…"', 'http://host:port'],
  [etcd({ hosts: ['h:1', 'https://h:2'] }), 'etcd.hosts', '["http://h:1"', 'all members alike'],
  [etcd({ namespace: 7 }), 'etcd.namespace', 'a number', 'a string that is put before every key'],
  [etcd({ syncIntervalMs: 999 }), 'etcd.syncIntervalMs', '999', 'from 1000 to 86400000'],
  [etcd({ syncIntervalMs: 86_400_001 }), 'etcd.syncIntervalMs', '86400001', 'to 86400000'],
  [etcd({ syncIntervalMs: false }), 'etcd.syncIntervalMs', 'false', 'a whole number from 1000'],
  [etcd({ requestTimeoutMs: 99 }), 'etcd.requestTimeoutMs', '99', 'from 100 to 60000'],
  [
    etcd({ requestTimeoutMs: '2s' }),
    'etcd.requestTimeoutMs',
    'a string',
    'a whole number from 100',
  ],
  [etcd({ auth: 'root' }), 'etcd.auth', 'a value that is not shown', 'an object with username'],
  [etcd({ auth: { username: '' } }), 'etcd.auth.username', '""', 'a non-empty string'],
  [
    etcd({ auth: { username: 'root' } }),
    'etcd.auth.password',
    'a value that is not shown',
    'a non-empty string',
  ],
  [etcd({ tls: { ca: 'x' } }), 'etcd.tls', 'given with http:// hosts', 'https:// hosts'],
  [etcd({ hosts: ['https://h:1'], tls: { ca: '' } }), 'etcd.tls.ca', '""', 'PEM text or bytes'],
  [
    etcd({ hosts: ['https://h:1'], tls: { ca: 'x', cert: 'y' } }),
    'etcd.tls.cert',
    'given',
    'cert and key together',
  ],
  [
    etcd({ hosts: ['https://h:1'], tls: { ca: 'x', key: 'y' } }),
    'etcd.tls.cert',
    'undefined',
    'cert and key together',
  ],
  ...(
    [
      [{ ca: '/etc/ssl/ca.pem' }, 'ca', 'the name of a file', 'not the name of a file'],
      [{ ca: 'rubbish' }, 'ca', 'no PEM', 'BEGIN CERTIFICATE'],
      [{ ca: new Uint8Array([1]) }, 'ca', 'no PEM', 'BEGIN CERTIFICATE'],
      [{ ca: tlsFile('client-key') }, 'ca', 'PEM that holds no certificate', 'BEGIN CERTIFICATE'],
      [{ ca: tlsFile('ca').slice(0, 300) }, 'ca', 'PEM that holds no', 'BEGIN CERTIFICATE'],
      [{ ...TLS, cert: 'client.pem' }, 'cert', 'the name of a file', 'not the name of a file'],
      [{ ...TLS, key: 'key.pem' }, 'key', 'the name of a file', 'not the name of a file'],
      [{ ...TLS, key: '-----BEGIN JUNK-----' }, 'cert', 'refused beside its key (', 'private key'],
      [{ ...TLS, key: tlsFile('server-key') }, 'cert', 'refused beside its key (', 'private key'],
    ] as const
  ).map(([tls, field, shown, allowed]): BadInput => [
    etcd({ hosts: ['https://h:1'], tls }),
    `etcd.tls.${field}`,
    shown,
    allowed,
  ]),
  [etcd({ client: {} }), 'etcd.client', '{}', 'an Etcd3 client'],
  [etcd({ client: { kv: 1 } }), 'etcd.client', 'an object with kv', 'an Etcd3 client'],
  [
    etcd({ client: ownClient.namespace('nsx/') }),
    'etcd.client',
    'a namespace of an Etcd3 client',
    'etcd.namespace',
  ],
  [etcd({ client: ownClient, hosts: ['h:1'] }), 'etcd.hosts', '["h:1"]', 'none beside etcd.client'],

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

  [
    { clients: CLIENT },
    'clients',
    'an object with name, package, protoPath',
    'an array of client definitions',
  ],
  [{ clients: [CLIENT, CLIENT] }, 'clients', '"api"', 'each client name once'],
  [client({ name: '' }), 'clients[0].name', '""', 'a non-empty string'],
  [client({ service: 'api/' }), 'clients[0].service', '"api/"', 'without a slash at its end'],
  [client({ package: undefined }), 'clients[0].package', 'undefined', 'a non-empty string'],
  [client({ package: [] }), 'clients[0].package', '[]', 'or an array of them'],
  [client({ protoPath: 7 }), 'clients[0].protoPath', '7', 'a non-empty string'],
  [client({ url: 'h:1' }), 'clients[0].url', 'a string', 'none; clients[0] has name, service'],
  [client({ loadBalancing: 'fastest' }), 'clients[0].loadBalancing', '"fastest"', 'round_robin'],
  [client({ timeoutMs: 0 }), 'clients[0].timeoutMs', '0', 'a whole number from 1 to 3600000'],
  [client({ keepalive: 20 }), 'clients[0].keepalive', '20', 'an object'],
  [client({ channelOptions: [] }), 'clients[0].channelOptions', '[]', 'an object'],
  [
    client({ channelOptions: { 'grpc.service_config': '{}' } }),
    'clients[0].channelOptions["grpc.service_config"]',
    '"{}"',
    'none; use loadBalancing, retry and timeoutMs',
  ],
  [
    client({ package: ['user', 7] }),
    'clients[0].package',
    'an array of 2',
    '"" for a proto without',
  ],
  [client({ protoPath: undefined }), 'clients[0].protoPath', 'undefined', 'or packageDefinition'],
  [client({ packageDefinition: [] }), 'clients[0].packageDefinition', '[]', 'an object'],
  [
    client({ packageDefinition: {} }),
    'clients[0].packageDefinition',
    '{}',
    'what loadSync of @grpc/proto-loader returns',
  ],
  [client({ protoLoader: '' }), 'clients[0].protoLoader', '""', 'a non-empty string'],
  ...(['maxReceiveMessageLength', 'maxSendMessageLength', 'maxMetadataSize'] as const).flatMap(
    (field): BadInput[] => [
      [client({ [field]: 0 }), `clients[0].${field}`, '0', 'or -1 for no limit'],
      [
        client({ [field]: '8mb' }),
        `clients[0].${field}`,
        '"8mb"',
        'a whole number of bytes from 1',
      ],
    ],
  ),
  [
    client({
      maxReceiveMessageLength: 1,
      channelOptions: { 'grpc.max_receive_message_length': 2 },
    }),
    'clients[0].maxReceiveMessageLength',
    '1',
    'one of it and clients[0].channelOptions["grpc.max_receive_message_length"]',
  ],
  [
    client({ keepalive: { keepaliveTime: 1 } }),
    'clients[0].keepalive.keepaliveTime',
    '1',
    'did you mean keepaliveTimeMs?',
  ],
  [
    client({ loader: { keepcase: 1 } }),
    'clients[0].loader.keepcase',
    '1',
    'did you mean keepCase?',
  ],
  [
    client({ channelOptions: { 'grpc.keepalive_time': 1 } }),
    'clients[0].channelOptions["grpc.keepalive_time"]',
    '1',
    'did you mean grpc.keepalive_time_ms?',
  ],
  [
    { clientDefaults: { keepalive: { x: 1 } } },
    'clientDefaults.keepalive.x',
    '1',
    'none; clientDefaults.keepalive has keepaliveTimeMs',
  ],
  [
    client({ loadBalancing: 'roundRobin' }),
    'clients[0].loadBalancing',
    '"roundRobin"',
    'did you mean round_robin?',
  ],
  [
    client({ retry: { statusCodes: ['unavailable'] } }),
    'clients[0].retry.statusCodes',
    '"unavailable"',
    'did you mean UNAVAILABLE?',
  ],
  [service({ ttlSecond: 5 }), 'service.ttlSecond', '5', 'did you mean ttlSeconds?'],
  [{ removalGuard: { maxholdMs: 5 } }, 'removalGuard.maxholdMs', '5', 'did you mean maxHoldMs?'],
  [
    etcd({ timings: { backoffCap: 5 } }),
    'etcd.timings.backoffCap',
    'a number',
    'did you mean backoffCapMs?',
  ],
  ...['', 'X-User', 'x user', 'ä', 'grpc-user', 'x-user-bin'].map(
    (hashKey): [unknown, string, string, string] => [
      client({ loadBalancing: { policy: 'consistent_hash', hashKey } }),
      'clients[0].loadBalancing.hashKey',
      JSON.stringify(hashKey),
      'a metadata key',
    ],
  ),
  ...['', 'x canary', 'grpc-canary', 'x-canary-bin'].map(
    (name): [unknown, string, string, string] => [
      client({
        loadBalancing: { routing: { canary: { match: { version: '2' }, header: { name } } } },
      }),
      'clients[0].loadBalancing.routing.canary.header.name',
      JSON.stringify(name),
      'a metadata key',
    ],
  ),
  [
    client({ credentials: {} }),
    'clients[0].credentials',
    'a value that is not shown',
    'ChannelCredentials of @grpc/grpc-js',
  ],
  [
    { clientDefaults: { name: 'api' } },
    'clientDefaults.name',
    'a string',
    'none; clientDefaults has loadBalancing',
  ],
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
      const error = rejection(() => resolve(options));
      expect(error.code).toBe('INVALID_OPTION');
      const end = error.message.lastIndexOf('; allowed: ');
      const [head, tail] = [error.message.slice(0, end), error.message.slice(end)];
      expect(head.startsWith(`[INVALID_OPTION] option ${option} is ${shown}`), error.message).toBe(
        true,
      );
      expect(tail).toContain(allowed);
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

  it('a password in ETCD_HOSTS', () => {
    vi.stubEnv('ETCD_HOSTS', `http://root:${SECRET}@h:1`);
    const { message } = rejection(() => resolve({}));
    expect(message).toContain('option ETCD_HOSTS is "http://…@h:1"');
    expect(message).not.toContain(SECRET);
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

  it('may contain an Etcd3 client of the user in place of hosts, even if ETCD_HOSTS is set', () => {
    vi.stubEnv('ETCD_HOSTS', 'nonsense');
    const resolved = resolve({ etcd: { client: ownClient, namespace: 'p/' } }).etcd;
    expect(resolved).toMatchObject({ hosts: [], namespace: 'p/' });
    expect(resolved?.client).toBe(ownClient);
  });

  it('contain tls and auth as the user gave them', () => {
    const tls = { ...TLS, cert: Buffer.from(TLS.cert) };
    const auth = { username: 'root', password: SECRET };
    expect(resolve({ etcd: { hosts: ['https://h:1'], tls, auth } }).etcd).toMatchObject({
      tls,
      auth,
    });
  });

  it('let a client without an option service dial the service of its own name', () => {
    const { clients } = resolve({ clients: [CLIENT, { ...CLIENT, name: 'b', service: 't/b' }] });
    expect(clients.map((one) => [one.name, one.service])).toEqual([
      ['api', 'api'],
      ['b', 't/b'],
    ]);
  });

  it('may contain every option of a client', () => {
    const credentials = ChannelCredentials.createInsecure();
    const definition = {
      ...CLIENT,
      package: ['a', 'b'],
      protoPath: ['a.proto', 'b.proto'],
      loadBalancing: 'pick_first',
      timeoutMs: 500,
      keepalive: { keepaliveTimeMs: 1 },
      credentials,
      channelOptions: { 'grpc.max_send_message_length': 1 },
      loader: { keepCase: true },
      protoLoader: '@grpc/proto-loader',
      maxReceiveMessageLength: -1,
      maxMetadataSize: 1,
    };
    expect(resolve({ clients: [definition] }).clients[0]).toMatchObject(definition);
    const { name: _, package: __, protoPath: ___, ...defaults } = definition;
    expect(resolve({ clientDefaults: defaults }).clientDefaults).toEqual(defaults);
  });

  it('may contain a client of a proto without a package, and of a loaded proto', () => {
    const packageDefinition = { 'a.B': {} };
    const { clients } = resolve({
      clients: [
        { ...CLIENT, package: '' },
        { name: 'b', package: 'user', packageDefinition },
      ],
    });
    expect(clients).toMatchObject([
      { package: '', protoPath: 'user.proto' },
      { packageDefinition },
    ]);
  });

  it('may contain any options for a proto loader of the user', () => {
    const loading = { protoLoader: 'own-loader', loader: { anything: 1 } };
    expect(resolve({ clients: [{ ...CLIENT, ...loading }] }).clients[0]).toMatchObject(loading);
  });

  it.each(['x-user', 'user_id.v2', '7', String])('may contain the hash key %s', (hashKey) => {
    const loadBalancing = { policy: 'consistent_hash', hashKey };
    expect(resolve({ clients: [{ ...CLIENT, loadBalancing }] }).clients).toHaveLength(1);
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

describe('the environment variable ETCD_HOSTS', () => {
  it.each([
    ['h:1', ['http://h:1']],
    ['h:1,https://x', undefined],
    ['http://h:1, http://g:2 ', ['http://h:1', 'http://g:2']],
    ['https://h:1/,https://[::1]:2', ['https://h:1', 'https://[::1]:2']],
    ['', ['http://127.0.0.1:2379']],
    ['  ', ['http://127.0.0.1:2379']],
  ])('with the value %j results in the hosts %j', (value, hosts) => {
    vi.stubEnv('ETCD_HOSTS', value);
    if (hosts === undefined) expect(rejection(() => resolve({})).message).toContain('ETCD_HOSTS');
    else expect(resolve({ etcd: { namespace: 'p/' } }).etcd?.hosts).toEqual(hosts);
  });

  it('is ignored if etcd.hosts is given', () => {
    vi.stubEnv('ETCD_HOSTS', 'nonsense');
    expect(resolve({ etcd: { hosts: ['h:1'] } }).etcd?.hosts).toEqual(['http://h:1']);
  });
});
