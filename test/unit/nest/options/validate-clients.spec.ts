import { ChannelCredentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  SIZE_OPTIONS,
  validateClient,
  validateClientDefaults,
  validateClients,
} from '../../../../lib/nest/options/validate-clients.js';
import { expectRejected } from './rejection.js';

const CLIENT = { name: 'api', package: 'user', protoPath: 'user.proto' };
const LARGEST_SIZE = 2_147_483_647;
const SIZES = Object.entries(SIZE_OPTIONS);

const client = (fields: object): object => ({ ...CLIENT, ...fields });

/** A wrong field, how the error shows its value, and a part of what is allowed. */
type BadField = readonly [field: string, value: unknown, shown: string, allowed: string];

/** Wrong fields of which a client and its defaults have their rules in common. */
const BAD_DEFAULTS: readonly BadField[] = [
  ['loadBalancing', 'fastest', '"fastest"', 'round_robin'],
  ['loadBalancing', 'roundRobin', '"roundRobin"', 'did you mean round_robin?'],
  ['subsetSize', 0, '0', 'a whole number from 1 to 100000'],
  ['subsetSize', 100_001, '100001', 'a whole number from 1 to 100000'],
  ['zone', '', '""', 'a non-empty string'],
  ['timeoutMs', 0, '0', 'a whole number from 1 to 3600000'],
  ['timeoutMs', 3_600_001, '3600001', 'a whole number from 1 to 3600000'],
  ['retry', true, 'true', 'an object with methods'],
  ['waitForReady', 'yes', '"yes"', 'true or false'],
  ['keepalive', 20, '20', 'an object'],
  ['credentials', {}, 'a value that is not shown', 'ChannelCredentials of @grpc/grpc-js'],
  ['channelOptions', [], '[]', 'an object'],
  ['protoLoader', '', '""', 'a non-empty string'],
  ['loader', 7, '7', 'an object'],
  ...SIZES.flatMap(([field]): BadField[] => [
    [field, 0, '0', 'or -1 for no limit'],
    [field, -2, '-2', 'or -1 for no limit'],
    [field, LARGEST_SIZE + 1, '2147483648', `to ${LARGEST_SIZE}`],
    [field, '8mb', '"8mb"', 'a whole number of bytes from 1'],
  ]),
];

/** Fields of fields, which name the whole path. */
const BAD_INNER: readonly (readonly [
  fields: object,
  path: string,
  shown: string,
  allowed: string,
])[] = [
  [{ keepalive: { keepaliveTime: 1 } }, '.keepalive.keepaliveTime', '1', 'keepaliveTimeMs?'],
  [{ loader: { keepcase: 1 } }, '.loader.keepcase', '1', 'did you mean keepCase?'],
  [
    { loader: { keepcase: 1 }, protoLoader: '@grpc/proto-loader' },
    '.loader.keepcase',
    '1',
    'did you mean keepCase?',
  ],
  [{ loader: 7, protoLoader: 'own-loader' }, '.loader', '7', 'an object'],
  [
    { retry: { statusCodes: ['unavailable'] } },
    '.retry.statusCodes',
    '"unavailable"',
    'did you mean UNAVAILABLE?',
  ],
  [
    { channelOptions: { 'grpc.service_config': '{}' } },
    '.channelOptions["grpc.service_config"]',
    '"{}"',
    'none; use loadBalancing, retry and timeoutMs',
  ],
  [
    { channelOptions: { 'grpc.keepalive_time': 1 } },
    '.channelOptions["grpc.keepalive_time"]',
    '1',
    'did you mean grpc.keepalive_time_ms?',
  ],
];

describe('the fields that a client and clientDefaults share', () => {
  it.each(BAD_DEFAULTS)('%s: %j is rejected in both', (field, value, shown, allowed) => {
    const fields = { [field]: value };
    expectRejected(() => validateClient('c', client(fields)), `c.${field}`, shown, allowed);
    expectRejected(() => validateClientDefaults('d', fields), `d.${field}`, shown, allowed);
  });

  it.each(BAD_INNER)('%j is rejected in both, at %s', (fields, path, shown, allowed) => {
    expectRejected(() => validateClient('c', client(fields)), `c${path}`, shown, allowed);
    expectRejected(() => validateClientDefaults('d', fields), `d${path}`, shown, allowed);
  });

  it.each<[string, unknown]>([
    ['loadBalancing', 'pick_first'],
    ['subsetSize', 1],
    ['subsetSize', 100_000],
    ['zone', 'eu'],
    ['timeoutMs', 1],
    ['timeoutMs', 3_600_000],
    ['retry', false],
    ['waitForReady', false],
    ['keepalive', { keepaliveTimeMs: 1 }],
    ['credentials', ChannelCredentials.createInsecure()],
    ['channelOptions', { 'grpc.max_send_message_length': 1 }],
    ['loader', { keepCase: true }],
    ['protoLoader', '@grpc/proto-loader'],
    ...SIZES.flatMap(([field]): [string, unknown][] => [
      [field, -1],
      [field, 1],
      [field, LARGEST_SIZE],
    ]),
  ])('%s: %j is taken into both as it is', (field, value) => {
    const fields = { [field]: value };
    expect(validateClient('c', client(fields))).toStrictEqual({
      ...CLIENT,
      service: 'api',
      ...fields,
    });
    expect(validateClientDefaults('d', fields)).toStrictEqual(fields);
  });

  it.each(SIZES)('%s cannot stand beside the channel option %s', (field, option) => {
    const channelOptions = { [option]: 2 };
    const allowed = `one of it and c.channelOptions["${option}"]`;
    expectRejected(
      () => validateClient('c', client({ [field]: 1, channelOptions })),
      `c.${field}`,
      '1',
      allowed,
    );
    expect(() => validateClient('c', client({ channelOptions }))).not.toThrow();
    const others = SIZES.filter(([other]) => other !== field).map(([other]) => [other, 1]);
    const beside = { ...Object.fromEntries(others), channelOptions };
    expect(() => validateClient('c', client(beside))).not.toThrow();
  });

  it('may contain any options for a proto loader of the user', () => {
    const loading = { protoLoader: 'own-loader', loader: { anything: 1 } };
    expect(validateClient('c', client(loading))).toMatchObject(loading);
  });

  it('are not in the result if they are undefined', () => {
    expect(validateClientDefaults('d', { timeoutMs: undefined, zone: 'eu' })).toStrictEqual({
      zone: 'eu',
    });
  });
});

describe('validateClientDefaults', () => {
  it('rejects the fields of a single client', () => {
    for (const field of ['name', 'service', 'package', 'protoPath', 'packageDefinition']) {
      expectRejected(
        () => validateClientDefaults('clientDefaults', { [field]: 'api' }),
        `clientDefaults.${field}`,
        'a string',
        'none; clientDefaults has loadBalancing',
      );
    }
  });

  it('returns a frozen copy', () => {
    const given = { timeoutMs: 1 };
    const defaults = validateClientDefaults('d', given);
    expect(defaults).not.toBe(given);
    expect(Object.isFrozen(defaults)).toBe(true);
  });
});

describe('validateClient', () => {
  it.each<BadField>([
    ['name', '', '""', 'a non-empty string'],
    ['name', undefined, 'undefined', 'a non-empty string'],
    ['service', 'api/', '"api/"', 'without a slash at its end'],
    ['package', undefined, 'undefined', 'a non-empty string'],
    ['package', [], '[]', 'or an array of them'],
    ['package', ['user', 7], 'an array of 2', '"" for a proto without a package'],
    ['package', 7, '7', 'or an array of them'],
    ['protoPath', 7, '7', 'a non-empty string'],
    ['protoPath', undefined, 'undefined', 'or packageDefinition in its place'],
    ['protoPath', [], '[]', 'a non-empty string, or an array of them'],
    ['protoPath', ['a.proto', ''], '""', 'a non-empty string'],
    ['packageDefinition', [], '[]', 'an object'],
    ['packageDefinition', {}, '{}', 'what loadSync of @grpc/proto-loader returns, not empty'],
    ['url', 'h:1', 'a string', 'none; c has name, service'],
  ])('rejects the field %s: %j', (field, value, shown, allowed) => {
    expectRejected(
      () => validateClient('c', client({ [field]: value })),
      `c.${field}`,
      shown,
      allowed,
    );
  });

  it('names the option name in the error if that option gives the name of the service', () => {
    expectRejected(
      () => validateClient('c', client({ name: 'api/' })),
      'c.name',
      '"api/"',
      'without a slash at its end',
    );
  });

  it('lets a client without the option service dial the service of its own name', () => {
    expect(validateClient('c', CLIENT).service).toBe('api');
    expect(validateClient('c', client({ service: 't/b' }))).toMatchObject({
      name: 'api',
      service: 't/b',
    });
  });

  it.each<[string, object]>([
    ['a proto without a package', { package: '' }],
    ['several packages and files', { package: ['a', 'b'], protoPath: ['a.proto', 'b.proto'] }],
    ['a loaded proto beside its file', { packageDefinition: { 'a.B': {} } }],
  ])('accepts %s', (_, fields) => {
    expect(validateClient('c', client(fields))).toMatchObject(fields);
  });

  it('accepts a loaded proto in place of a file', () => {
    const given = { name: 'b', package: 'user', packageDefinition: { 'a.B': {} } };
    expect(validateClient('c', given)).toStrictEqual({ ...given, service: 'b' });
  });

  it('returns a frozen copy', () => {
    const one = validateClient('c', CLIENT);
    expect(one).not.toBe(CLIENT);
    expect(Object.isFrozen(one)).toBe(true);
  });
});

describe('validateClients', () => {
  it.each<[unknown, option: string, shown: string, allowed: string]>([
    [CLIENT, 'clients', 'an object with name, package, protoPath', 'an array of client'],
    [[CLIENT, CLIENT], 'clients', '"api"', 'each client name once'],
    [[CLIENT, client({ name: '' })], 'clients[1].name', '""', 'a non-empty string'],
  ])('rejects %j', (value, option, shown, allowed) => {
    expectRejected(() => validateClients('clients', value), option, shown, allowed);
  });

  it('returns a frozen list of all clients in their order', () => {
    const clients = validateClients('clients', [CLIENT, client({ name: 'b' })]);
    expect(clients.map(({ name }) => name)).toEqual(['api', 'b']);
    expect(Object.isFrozen(clients)).toBe(true);
  });
});
