import { type Channel, connectivityState } from '@grpc/grpc-js';
import { Logger } from '@nestjs/common';
import {
  type ClientDefaults,
  type ClientDefinition,
  DirectoryPool,
  GrpcClientFactory,
  MemoryRegistry,
} from 'nestjs-grpc-discovery';
import { SPARING_PINGS_OPTION } from '../../../../lib/grpc/connection/subchannel-transport.js';
import type { DiscoveredClient } from '../../../../lib/nest/client/discovered-client.js';
import { systemClock } from '../../../../lib/registry/system-clock.js';
import { validateOptions } from '../../../../lib/nest/options/validate-options.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { userProtoPath } from '../../../support/user-apps.js';

function createFactory(clientDefaults: ClientDefaults = {}) {
  const registry = new MemoryRegistry();
  const pool = new DirectoryPool(registry, { clock: systemClock });
  const factory = new GrpcClientFactory(validateOptions({ registry, clientDefaults }, {}), pool);
  const create = (service: string, more: Partial<ClientDefinition> = {}) =>
    factory.create({ name: service, package: 'user', protoPath: userProtoPath, ...more });
  return { pool, factory, create };
}

let warnings: string[];
beforeEach(() => {
  warnings = [];
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((text) => warnings.push(String(text)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

it('a client that the user closes ends the watch of its service', () => {
  const { pool, create } = createFactory();
  const client = create('api');
  expect([...pool.directories.keys()]).toEqual(['api']);
  client.close();
  expect(pool.directories.size).toBe(0);
});

it('closing one client twice does not end the watch of another client of the same service', () => {
  const { pool, factory, create } = createFactory();
  const [first] = [create('api'), create('api')];
  first.close();
  first.close();
  expect([...pool.directories.keys()]).toEqual(['api']);
  factory.onApplicationShutdown();
  expect(pool.directories.size).toBe(0);
});

it('the shutdown of the application closes the clients that are still open', () => {
  const { pool, factory, create } = createFactory();
  const clients = [create('api'), create('billing')];
  clients[0]?.getService('User');
  factory.onApplicationShutdown();
  expect(pool.directories.size).toBe(0);
  expect(() => create('late')).toThrow(/\[CLOSED\]/);
});

/** The choices of a client that its channel compares with the service config which the service publishes. */
function choicesOf(client: object): Record<string, unknown> | undefined {
  const { channelOptions } = Reflect.get(client, 'options') as { channelOptions: object };
  const found = Object.values(channelOptions).find(
    (value: unknown) => typeof value === 'object' && value !== null && 'choices' in value,
  ) as { choices: Record<string, unknown> } | undefined;
  return found?.choices;
}

it('a channel knows which methods are unary, and which settings its client leaves to the published service config', () => {
  const { create } = createFactory();
  expect(choicesOf(create('api'))).toMatchObject({
    unaries: new Set(['/user.User/Login', '/user.User/Find']),
    streams: new Set(['/user.User/Watch']),
    retries: true,
    timeouts: true,
    waitForReady: true,
    chosen: {},
  });
});

it('a channel knows which settings its client chose itself, and which part of the fleet it uses', () => {
  const { create } = createFactory({ timeoutMs: 500 });
  const client = create('api', {
    loadBalancing: 'random',
    retry: false,
    waitForReady: false,
    subsetSize: 7,
    zone: 'a',
  });
  const choices = choicesOf(client);
  expect(choices).toMatchObject({
    retries: false,
    timeouts: false,
    waitForReady: false,
    chosen: { policy: 'random' },
    balancing: { subsetSize: 7, zone: 'a' },
  });
  const { balancing } = choices as { balancing: { clientId: string } };
  expect(balancing.clientId).toMatch(/^[\da-f-]{36}$/);
});

const isOurs = (name: string): boolean => name.includes('nestjs_grpc_discovery');

/** The public channel options of a client: those that grpc-js or Nest know. */
function channelOptionsOf(client: object): Record<string, unknown> {
  const { channelOptions } = Reflect.get(client, 'options') as { channelOptions: object };
  return Object.fromEntries(Object.entries(channelOptions).filter(([name]) => !isOurs(name)));
}

type Transform = (call: object) => { callOptions: { interceptors: unknown[] } };

/** The number of interceptors that the channel options give to each call. */
function interceptorsOf(client: object): number {
  const { callInvocationTransformer } = channelOptionsOf(client);
  if (callInvocationTransformer === undefined) return 0;
  const transform = callInvocationTransformer as Transform;
  return transform({ methodDefinition: {} }).callOptions.interceptors.length;
}

const sparesPingsOf = (client: object): unknown => {
  const { channelOptions } = Reflect.get(client, 'options') as { channelOptions: object };
  return Reflect.get(channelOptions, SPARING_PINGS_OPTION);
};

const urlOf = (client: object): unknown => (Reflect.get(client, 'options') as { url: unknown }).url;

describe('the channel of a client', () => {
  it('finds dead connections within 25 s and uses no proxy, and has no transformer of calls, by default', () => {
    const { create } = createFactory();
    const options = channelOptionsOf(create('api'));
    expect(options).toMatchObject({
      'grpc.keepalive_time_ms': 20_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.enable_http_proxy': 0,
    });
    expect(options).not.toHaveProperty('callInvocationTransformer');
  });

  it('has the channel options of the user, which take precedence over the defaults', () => {
    const { create } = createFactory({ channelOptions: { 'grpc.max_send_message_length': 7 } });
    expect(channelOptionsOf(create('api'))).toMatchObject({ 'grpc.max_send_message_length': 7 });
    const own = { 'grpc.keepalive_time_ms': 9_000 };
    const options = channelOptionsOf(create('api', { channelOptions: own }));
    expect(options).toMatchObject({ 'grpc.keepalive_time_ms': 9_000 });
    expect(options).not.toHaveProperty(['grpc.max_send_message_length']);
  });

  it('spares pings only if the user has set no keepalive', () => {
    const { create } = createFactory();
    expect(sparesPingsOf(create('api'))).toBe(1);
    const keepalive = { keepaliveTimeMs: 5_000 };
    expect(sparesPingsOf(create('api', { keepalive }))).toBeUndefined();
  });

  it.each<[string, Partial<ClientDefinition>, number]>([
    ['nothing', {}, 0],
    [
      'a name as its hash key',
      { loadBalancing: { policy: 'consistent_hash', hashKey: 'user' } },
      0,
    ],
    [
      'a function as its hash key',
      { loadBalancing: { policy: 'consistent_hash', hashKey: String } },
      1,
    ],
    ['waitForReady', { waitForReady: true }, 1],
    ['waitForReady off', { waitForReady: false }, 0],
  ])('with %s gives each call the interceptors that this needs', (_, more, count) => {
    const { create } = createFactory();
    expect(interceptorsOf(create('api', more))).toBe(count);
  });

  it('leads to the service that the client names, in the scheme of the registry', () => {
    const { create } = createFactory();
    expect(urlOf(create('api'))).toBe('memory:///api');
    expect(urlOf(create('api', { service: 'team/other' }))).toBe('memory:///team/other');
  });
});

it('the bootstrap connects the clients in use, and waits for that', async () => {
  const { pool, factory, create } = createFactory();
  const client = create('api');
  create('idle');
  client.getService('User');
  // No server is at this address: the first attempt fails at once.
  (pool.registry as MemoryRegistry).setEndpoints('api', ['127.0.0.1:1']);
  const channel = (Reflect.get(client, 'openChannels') as Channel[])[0];
  expect(channel?.getTarget()).toBe('memory:///api');
  expect(channel?.getConnectivityState(false)).toBe(connectivityState.IDLE);
  await factory.onApplicationBootstrap();
  expect(channel?.getConnectivityState(false)).toBe(connectivityState.TRANSIENT_FAILURE);
  factory.onApplicationShutdown();
});

it('the bootstrap waits a second at most for the first connections', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const deadlines: unknown[] = [];
  const channel = {
    getConnectivityState: () => connectivityState.CONNECTING,
    watchConnectivityState: (_state: unknown, deadline: unknown, done: (error: Error) => void) => {
      deadlines.push(deadline);
      done(new Error('the deadline is over'));
    },
  };
  const { factory, create } = createFactory();
  vi.spyOn(create('api') as DiscoveredClient, 'openChannels', 'get').mockReturnValue([
    channel as unknown as Channel,
  ]);
  await factory.onApplicationBootstrap();
  expect(deadlines).toEqual([Date.now() + 1_000]);
  vi.useRealTimers();
});

/** The service config that a client gives to its channel. */
function serviceConfigOf(client: object): object | undefined {
  const { channelOptions } = Reflect.get(client, 'options') as { channelOptions: object };
  const found = Object.values(channelOptions).find(
    (value: unknown) => typeof value === 'object' && value !== null && 'serviceConfig' in value,
  ) as { serviceConfig: object } | undefined;
  return found?.serviceConfig;
}

const retriedBy = (client: object): unknown =>
  (serviceConfigOf(client) as { methodConfig: readonly unknown[] }).methodConfig;

const nameOf = (method: string) => ({ service: 'user.User', method });

describe('the service config of a client', () => {
  it('retries idempotent methods by default, and what the client chose otherwise', () => {
    const { create } = createFactory();
    const chosen = create('api', { retry: { methods: ['Login'], maxAttempts: 5 } });
    expect(retriedBy(chosen)).toMatchObject([
      { name: [nameOf('Login')], retryPolicy: { maxAttempts: 5 } },
    ]);
    expect(retriedBy(create('api', { retry: false }))).toEqual([]);
  });

  it("has the client's own retry in place of that of the defaults", () => {
    const { create } = createFactory({ retry: { methods: 'all', maxAttempts: 3 } });
    expect(retriedBy(create('api'))).toMatchObject([{ retryPolicy: { maxAttempts: 3 } }]);
    expect(retriedBy(create('api', { retry: { methods: 'all' } }))).toMatchObject([
      { retryPolicy: { maxAttempts: 4 } },
    ]);
  });
});

const unknownPackage = (name: string) =>
  `option client "api".package is "${name}"; allowed: a package of the proto, which has "user"`;

describe('a name that the proto does not contain', () => {
  it('in retry.methods fails the creation of the client, and the error lists the methods', () => {
    const { create, pool } = createFactory();
    expect(() => create('api', { retry: { methods: ['login', 'findd'] } })).toThrow(
      '[INVALID_OPTION] option client "api".retry.methods is "findd"; allowed: methods of its proto, with or without their service: user.User/Login, user.User/Find, user.User/Watch; did you mean Find?',
    );
    expect(pool.directories.size).toBe(0);
  });

  it('in clientDefaults.retry.methods causes a warning if no client has a method of that name', async () => {
    const { create, factory } = createFactory({ retry: { methods: ['find', 'vanish'] } });
    create('api');
    create('own', { retry: false });
    await factory.onApplicationBootstrap();
    expect(warnings).toEqual(['clientDefaults: no client has a method "vanish" to retry.']);
  });

  it('in the option package fails the creation of the client, and the error lists the packages', () => {
    const { create } = createFactory();
    expect(() => create('api', { package: 'usr' })).toThrow(
      `${unknownPackage('usr')}; did you mean user?`,
    );
    expect(() => create('api', { package: 'a.b.c' })).toThrow(unknownPackage('a.b.c'));
  });
});

describe('an error about a client definition', () => {
  it('names the client', () => {
    const { create } = createFactory();
    expect(() => create('api', { timeoutMs: 0 })).toThrow('option client "api".timeoutMs is 0; ');
    expect(() => create('a.b"c', { timeoutMs: 0 })).toThrow('client "a.b\\"c".timeoutMs is 0; ');
    const misspelt = { timeout: 1 } as Partial<ClientDefinition>;
    expect(() => create('api', misspelt)).toThrow('option client "api".timeout is 1; ');
    expect(() => create('')).toThrow('option client.name is ""; ');
  });

  it('shows the value of an option without secrets, whatever the client is called', () => {
    const { create } = createFactory();
    expect(() => create('token', { package: 'usr' })).toThrow('client "token".package is "usr"; ');
    const credentials = 'hunter2' as unknown as ClientDefinition['credentials'];
    expect(() => create('api', { credentials })).toThrow(
      'credentials is a value that is not shown',
    );
    expect(() => create('x".y', { credentials })).toThrow('is a value that is not shown');
  });
});

it('the factory warns once about each option of a client that has no effect', async () => {
  const { create, factory } = createFactory({ maxMetadataSize: 5 });
  create('api', {
    channelOptions: { 'my.own': 1, 'grpc.max_send_message_length': 5 },
    keepalive: { keepaliveTimeMs: 5_000, http2MaxPingStrikes: 2 },
  });
  await factory.onApplicationBootstrap();
  const because = 'has no effect: @grpc/grpc-js has no such option.';
  expect(warnings).toEqual([
    `Client "api": channelOptions["my.own"] ${because}`,
    `Client "api": keepalive.http2MaxPingStrikes ${because}`,
    `clientDefaults: maxMetadataSize ${because}`,
  ]);
});
