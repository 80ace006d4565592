import { EventEmitter } from 'node:events';
import type { Server } from '@grpc/grpc-js';
import { Logger } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { BehaviorSubject, NEVER } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type DiscoveryModuleOptions,
  type Endpoint,
  type Registration,
  type RegistrationRequest,
  type RegistrationStatus,
  Registry,
  ServiceRegistrar,
} from 'nestjs-grpc-discovery';
import { CallTracker } from '../../../../lib/grpc/server/call-tracker.js';
import { ApplicationReadiness } from '../../../../lib/nest/server/application-readiness.service.js';
import { ForceSignal } from '../../../../lib/nest/shutdown/force-signal.js';
import { type BoundServer, GrpcServers } from '../../../../lib/nest/server/grpc-servers.service.js';
import { HealthServing } from '../../../../lib/nest/server/health-serving.js';
import { ServiceAddresses } from '../../../../lib/nest/server/service-addresses.js';
import { validateOptions } from '../../../../lib/nest/options/validate-options.js';

/** A registry that accepts registrations only while a test allows it. */
class MoodyRegistry extends Registry {
  readonly scheme = 'moody';
  readonly registrations: BehaviorSubject<RegistrationStatus>[] = [];
  readonly endpoints: Endpoint[] = [];
  readonly updates: Endpoint[] = [];
  isAway = false;

  override watch(): typeof NEVER {
    return NEVER;
  }

  override register({ service, endpoint }: RegistrationRequest): Registration {
    const { address } = endpoint;
    this.endpoints.push(endpoint);
    const state = this.isAway ? 'registering' : 'registered';
    const subject = new BehaviorSubject<RegistrationStatus>({
      state,
      service,
      key: `${service}/${address}`,
      address,
    });
    this.registrations.push(subject);
    return {
      get status() {
        return subject.value;
      },
      status$: subject,
      update: (next) => this.updates.push(next),
      close: async () => {
        subject.next({ ...subject.value, state: 'deregistered' });
        subject.complete();
      },
    };
  }

  comeBack(): void {
    this.isAway = false;
    for (const subject of this.registrations) {
      if (subject.value.state === 'deregistered') continue;
      subject.next({ ...subject.value, state: 'registered' });
    }
  }
}

function createRegistrar(given: DiscoveryModuleOptions) {
  const registry = new MoodyRegistry();
  const isOfEtcd = given.etcd !== undefined;
  const options = validateOptions(isOfEtcd ? given : { registry, ...given }, {});
  const modules = { getRpcTargetRegistry: () => NEVER } as unknown as ModulesContainer;
  const servers = new GrpcServers(modules);
  const readiness = new ApplicationReadiness(options);
  const force = new ForceSignal(() => {});
  const registrar = new ServiceRegistrar(options, registry, servers, readiness, force);
  return { registry, registrar };
}

/** How many servers were ended by force. */
let forced: number;

/** @param isBusy whether the server has calls that never end */
function boundServer(port: number, isBusy = false): BoundServer {
  const url = `127.0.0.1:${port}`;
  const packages = [`package${port}`];
  const server = {
    tryShutdown: (done: () => void) => (isBusy ? undefined : done()),
    forceShutdown: () => forced++,
  };
  return {
    url,
    packages,
    addresses: [url],
    server: server as unknown as BoundServer['server'],
    calls: new CallTracker(),
  };
}

const ignore = (): void => {};

/** Shows at any time whether a promise has settled. */
function follow(work: Promise<unknown>): { readonly isOver: boolean } {
  const seen = { isOver: false };
  void work.then(() => (seen.isOver = true));
  return seen;
}

/** A time in milliseconds that is longer than any start waits for the registry. */
const START_MS = 3_000;

let warnings: string[];
beforeEach(() => {
  vi.useFakeTimers();
  warnings = [];
  forced = 0;
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((text) => warnings.push(String(text)));
  vi.spyOn(Logger.prototype, 'log').mockImplementation(() => {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('failFast', () => {
  const service = { name: 'api', drainDelayMs: 0 };

  it('fails a start if the registry does not answer, and removes the registration', async () => {
    const { registry, registrar } = createRegistrar({ service, failFast: true });
    registry.isAway = true;
    await registrar.onBootstrapped();
    const failure = registrar.onBound(boundServer(1)).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(START_MS);
    expect(String(await failure)).toContain('failFast is set');
    expect(registrar.status).toEqual({ state: 'drained', registrations: [] });
  });

  it('does not stop a running server, which is registered again once the registry is back', async () => {
    let isReady = true;
    const readiness = { check: () => isReady, intervalMs: 10 };
    const { registry, registrar } = createRegistrar({ service, failFast: true, readiness });
    await registrar.onBootstrapped();
    await registrar.onBound(boundServer(1));
    expect(registrar.status.state).toBe('registered');

    registry.isAway = true;
    isReady = false;
    await vi.advanceTimersByTimeAsync(10);
    expect(registrar.status.state).toBe('idle');
    isReady = true;
    await vi.advanceTimersByTimeAsync(START_MS);
    expect(registrar.status.state).toBe('registering');
    expect(warnings.at(-1)).toContain('registration goes on until it succeeds');

    registry.comeBack();
    expect(registrar.status.state).toBe('registered');
  });
});

/** A readiness check that answers after three seconds. */
const slowCheck = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 3_000);
  });

/** The `Check` method of an application's own health service, which also answers after three seconds. */
function slowHealthCheck(_call: unknown, callback: (error: null, reply: object) => void): void {
  void slowCheck().then(() => callback(null, { status: 'SERVING' }));
}

describe('a start', () => {
  const service = { name: 'api', drainDelayMs: 0 };

  it('waits for the first readiness check', async () => {
    const { registrar } = createRegistrar({ service, readiness: { check: slowCheck } });
    const bound = follow(registrar.onBound(boundServer(1)));
    const start = follow(registrar.onBootstrapped());
    await vi.advanceTimersByTimeAsync(2_999);
    expect([bound.isOver, start.isOver]).toEqual([true, false]);
    expect(registrar.status.state).toBe('idle');
    await vi.advanceTimersByTimeAsync(1);
    expect(start.isOver).toBe(true);
    expect(registrar.status.state).toBe('registered');
    await registrar.shutDown();
  });

  it('of a server that is bound after the bootstrap waits for the check of its own health service', async () => {
    const { registrar } = createRegistrar({ service });
    await registrar.onBootstrapped();
    const server = boundServer(1);
    const grpcServer = Object.assign(server.server, { register: () => true });
    registrar.onCreated(grpcServer, server.calls);
    grpcServer.register(
      '/grpc.health.v1.Health/Check',
      slowHealthCheck as never,
      Buffer.from,
      String,
      'unary',
    );
    const bound = follow(registrar.onBound(server));
    await vi.advanceTimersByTimeAsync(2_999);
    expect(bound.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(bound.isOver).toBe(true);
    expect(registrar.status.state).toBe('registered');
    await registrar.shutDown();
  });

  it('goes on without the registry after a time limit if failFast is not set', async () => {
    const { registry, registrar } = createRegistrar({ service });
    registry.isAway = true;
    await registrar.onBootstrapped();
    const bound = follow(registrar.onBound(boundServer(1)));
    await vi.advanceTimersByTimeAsync(2_499);
    expect(bound.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(bound.isOver).toBe(true);
    expect(registrar.status.state).toBe('registering');
    expect(warnings.at(-1)).toBe(
      'api/127.0.0.1:1 could not be registered within 2500 ms; the server runs, and registration goes on until it succeeds.',
    );
  });

  it.each([
    ['services', { service }, true],
    ['the option health', { health: true }, true],
    ['neither', {}, false],
  ])('of an application with %s (%j) follows its servers: %s', (_, options, follows) => {
    const followed = vi.spyOn(GrpcServers.prototype, 'follow');
    const { registrar } = createRegistrar(options);
    expect(followed.mock.calls).toEqual(follows ? [[registrar]] : []);
  });
});

describe('the start of an application', () => {
  const service = { name: 'api', drainDelayMs: 0 };

  it('fails if the registry does not answer to a server that was bound before, and failFast is set', async () => {
    const { registry, registrar } = createRegistrar({ service, failFast: true });
    registry.isAway = true;
    await registrar.onBound(boundServer(1));
    const failure = registrar.onBootstrapped().catch(String);
    await vi.advanceTimersByTimeAsync(START_MS);
    expect(await failure).toContain(
      '[REGISTRY_UNAVAILABLE] api/127.0.0.1:1 could not be registered within 2500 ms, and failFast is set',
    );
  });

  it('waits 500 ms longer for the registry than the option etcd.requestTimeoutMs', async () => {
    const { registry, registrar } = createRegistrar({ service, etcd: { requestTimeoutMs: 700 } });
    registry.isAway = true;
    await registrar.onBootstrapped();
    const bound = follow(registrar.onBound(boundServer(1)));
    await vi.advanceTimersByTimeAsync(1_199);
    expect(bound.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(bound.isOver).toBe(true);
  });

  it('registers nothing if the application begins to drain during the look-up of an address', async () => {
    const { registry, registrar } = createRegistrar({ service });
    await registrar.onBound(boundServer(1));
    vi.spyOn(ServiceAddresses.prototype, 'of').mockImplementationOnce(async () => {
      void registrar.drain();
      return 'h:1';
    });
    await registrar.onBootstrapped();
    expect(registry.registrations).toEqual([]);
  });

  it('logs a warning about a POD_IP that it ignores', async () => {
    vi.stubEnv('POD_IP', 'nonsense');
    const { registrar } = createRegistrar({ service });
    await registrar.onBootstrapped();
    await registrar.onBound({ ...boundServer(1), url: '0.0.0.0:1' });
    vi.unstubAllEnvs();
    expect(warnings).toContainEqual(expect.stringContaining('POD_IP is "nonsense"'));
  });

  it('loads the health service before a server is made, and fails if the health is served twice', async () => {
    const loaded = vi.spyOn(HealthServing.prototype, 'load').mockResolvedValue();
    vi.spyOn(HealthServing.prototype, 'assertServedOnce').mockImplementation(() => {
      throw new Error('served twice');
    });
    const { registrar } = createRegistrar({ health: true });
    await registrar.onCreating();
    expect(loaded).toHaveBeenCalledTimes(1);
    await expect(registrar.onBound(boundServer(1))).rejects.toThrow('served twice');
  });
});

describe('a service whose option names a server', () => {
  const service = { name: 'api', drainDelayMs: 0, server: 'package2' };
  let all: BoundServer[];
  beforeEach(() => {
    all = [boundServer(1)];
    vi.spyOn(GrpcServers.prototype, 'all', 'get').mockImplementation(() => all);
  });

  it('may wait for that server until the bootstrap, which fails without it', async () => {
    const { registrar } = createRegistrar({ service });
    await registrar.onBound(boundServer(1));
    expect(warnings).toEqual([]);
    await expect(registrar.onBootstrapped()).rejects.toThrow('option service.server is "package2"');
    expect(registrar.status.state).toBe('idle');
  });

  it('makes a later server fail that leaves it without a place', async () => {
    const { registrar } = createRegistrar({ service });
    all = [];
    await registrar.onBootstrapped();
    all = [boundServer(1)];
    await expect(registrar.onBound(boundServer(1))).rejects.toThrow('option service.server');
  });

  it('causes one warning, at the bootstrap, while the application has no server', async () => {
    const { registrar } = createRegistrar({ service });
    all = [];
    await registrar.onBootstrapped();
    expect(warnings).toEqual([expect.stringContaining('this application has no gRPC server')]);
    await registrar.onBootstrapped();
    expect(warnings).toHaveLength(1);
  });
});

/** A gRPC server with one open connection, and what happens to that connection. */
function serverWithConnection() {
  const http2Server = new EventEmitter();
  const seen: string[] = [];
  const calls = new CallTracker();
  vi.spyOn(calls, 'endOf').mockImplementation(() => void seen.push('calls ended'));
  const server = {
    register: () => true,
    http2Servers: new Map([[http2Server, {}]]),
  } as unknown as Server;
  const close = (): number => seen.push('closed');
  const connect = (): void => {
    http2Server.emit('session', Object.assign(new EventEmitter(), { close }));
  };
  return { server, calls, connect, seen };
}

describe('the connections of a server', () => {
  const ages = [
    { maxConnectionAgeMs: 20_000, maxConnectionAgeGraceMs: 3_000 },
    { maxConnectionAgeMs: 10_000, maxConnectionAgeGraceMs: 1_000 },
    { maxConnectionAgeGraceMs: 2_000 },
  ].map((fields, at) => ({ name: `api${at}`, ...fields }));

  it('end at the lowest maximum age of its services, and their calls after the longest grace', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const { registrar } = createRegistrar({ service: ages });
    const { server, calls, connect, seen } = serverWithConnection();
    registrar.onCreated(server, calls);
    connect();
    await vi.advanceTimersByTimeAsync(9_999);
    expect(seen).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(seen).toEqual(['closed']);
    await vi.advanceTimersByTimeAsync(2_999);
    expect(seen).toEqual(['closed']);
    await vi.advanceTimersByTimeAsync(1);
    expect(seen).toEqual(['closed', 'calls ended']);
  });

  it('have no maximum age if no service has one', async () => {
    const { registrar } = createRegistrar({ service: { name: 'api' } });
    const { server, calls, connect, seen } = serverWithConnection();
    registrar.onCreated(server, calls);
    connect();
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(seen).toEqual([]);
  });

  it('have a maximum age that is in every record of the application', async () => {
    const { registry, registrar } = createRegistrar({ service: ages });
    await registrar.onBootstrapped();
    await registrar.onBound(boundServer(1));
    expect(registry.endpoints.map(({ discovery }) => discovery)).toEqual(
      ages.map(() => ({ maxConnectionAgeMs: 10_000 })),
    );
  });
});

describe('update', () => {
  const services = ['api', 'billing'].map((name) => ({ name, drainDelayMs: 0 }));

  it('changes the records of the named service, or of all services', async () => {
    const { registry, registrar } = createRegistrar({ service: services });
    await registrar.onBootstrapped();
    await registrar.onBound(boundServer(1));
    registrar.update({ weight: 2 }, 'billing');
    expect(registry.updates).toMatchObject([{ discovery: { weight: 2 } }]);
    registrar.update({ weight: 3 });
    expect(registry.updates.slice(1)).toMatchObject([
      { discovery: { weight: 3 } },
      { discovery: { weight: 3 } },
    ]);
  });

  it('fails if the application does not offer the service, or offers none', () => {
    const { registrar } = createRegistrar({ service: services });
    expect(() => registrar.update({ weight: 2 }, 'orders')).toThrow(
      '[NOT_SERVING] nothing to update: this application offers no service "orders"',
    );
    expect(() => createRegistrar({ health: true }).registrar.update({ weight: 2 })).toThrow(
      /this application offers no service$/,
    );
  });
});

describe('the status of the registrar', () => {
  const service = { name: 'api', drainDelayMs: 100 };

  it('is reported at once, and then at each change until the end', async () => {
    const { registrar } = createRegistrar({ service });
    const states: string[] = [];
    registrar.status$.subscribe(({ state }) => states.push(state));
    expect(states).toEqual(['idle']);
    await registrar.onBootstrapped();
    await registrar.onBound(boundServer(1));
    const drained = registrar.drain();
    expect(registrar.drain()).toBe(drained);
    await vi.advanceTimersByTimeAsync(100);
    await drained;
    expect([...new Set(states)]).toEqual(['idle', 'registered', 'draining', 'drained']);
  });

  it('is registering while any record is not in the registry', async () => {
    const services = [service, { ...service, name: 'billing' }];
    const { registry, registrar } = createRegistrar({ service: services });
    await registrar.onBootstrapped();
    await registrar.onBound(boundServer(1));
    const [, billing] = registry.registrations;
    billing?.next({ ...billing.value, state: 'unreachable' });
    expect(registrar.status.state).toBe('registering');
    billing?.next({ ...billing.value, state: 'registered' });
    expect(registrar.status.state).toBe('registered');
  });

  it('stays drained when servers close after that', async () => {
    const server = boundServer(1);
    const { registrar } = createRegistrar({ service });
    await registrar.onBootstrapped();
    await registrar.onBound(server);
    void registrar.drain();
    await vi.advanceTimersByTimeAsync(100);
    expect(registrar.status.state).toBe('drained');
    const closing = registrar.onClosing(server);
    expect(registrar.onClosing(server)).toBe(closing);
    await vi.advanceTimersByTimeAsync(100);
    await closing;
    expect(registrar.status.state).toBe('drained');
  });
});

it('the log shows why a running server was not registered again', async () => {
  let isReady = true;
  const { registrar } = createRegistrar({
    service: { name: 'api', drainDelayMs: 0 },
    readiness: { check: () => isReady, intervalMs: 10 },
  });
  const errors: unknown[] = [];
  vi.spyOn(Logger.prototype, 'error').mockImplementation((text) => errors.push(text));
  await registrar.onBootstrapped();
  await registrar.onBound(boundServer(1));
  isReady = false;
  await vi.advanceTimersByTimeAsync(10);
  vi.spyOn(ServiceAddresses.prototype, 'of').mockRejectedValueOnce(new Error('no port'));
  isReady = true;
  await vi.advanceTimersByTimeAsync(10);
  expect(errors).toEqual(['Error: no port']);
});

it('the log shows how many calls a shutdown has ended', async () => {
  const service = { name: 'api', drainDelayMs: 0, drainTimeoutMs: 400 };
  const { registrar } = createRegistrar({ service });
  const server = boundServer(1, true);
  // The health watches end first, and do not count.
  vi.spyOn(server.calls, 'end').mockImplementation((_, path) => (path === undefined ? 2 : 7));
  await registrar.onBootstrapped();
  await registrar.onBound(server);
  const before = warnings.length;
  void registrar.shutDown();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(warnings.slice(before)).toEqual([
    '2 calls at 127.0.0.1:1 did not finish in the 400 ms they had, and were ended with UNAVAILABLE.',
  ]);
});

async function startWith(services: object[], ...servers: BoundServer[]) {
  const created = createRegistrar({
    service: services.map((service, at) => ({ name: `api${at}`, ...service })),
  });
  await created.registrar.onBootstrapped();
  for (const server of servers) await created.registrar.onBound(server);
  return created;
}

it('the readiness check of an application goes on until its last server closes', async () => {
  let checks = 0;
  const check = (): boolean => ++checks > 0;
  const service = { name: 'api', drainDelayMs: 0 };
  const { registrar } = createRegistrar({ service, readiness: { check } });
  const servers = [boundServer(1), boundServer(2)] as const;
  await registrar.onBootstrapped();
  for (const server of servers) await registrar.onBound(server);
  void registrar.onClosing(servers[0]);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(checks).toBe(4);
  void registrar.onClosing(servers[1]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(checks).toBe(4);
});

describe('the time that a shutdown allows', () => {
  it('for clients is the longest drainDelayMs, counted from the removal of the last record', async () => {
    const delays = [{ drainDelayMs: 2_000 }, { drainDelayMs: 5_000 }, { drainDelayMs: 0 }];
    const { registrar } = await startWith(delays, boundServer(1));
    const drained = follow(registrar.drain());
    await vi.advanceTimersByTimeAsync(4_999);
    expect(drained.isOver).toBe(false);
    expect(registrar.status).toEqual({ state: 'draining', registrations: [] });
    await vi.advanceTimersByTimeAsync(1);
    expect(drained.isOver).toBe(true);
    expect(registrar.status.state).toBe('drained');
  });

  it('for clients is 0 if no record was removed', async () => {
    const { registrar } = await startWith([{ drainDelayMs: 5_000 }]);
    const drained = follow(registrar.drain());
    await vi.advanceTimersByTimeAsync(0);
    expect(drained.isOver).toBe(true);
  });

  it('for clients begins once: a server that closes after the removal of the records does not wait again', async () => {
    const server = boundServer(1);
    const { registrar } = await startWith([{ drainDelayMs: 5_000 }], server);
    void registrar.drain();
    await vi.advanceTimersByTimeAsync(3_000);
    const closed = follow(registrar.onClosing(server));
    await vi.advanceTimersByTimeAsync(1_999);
    expect(closed.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(closed.isOver).toBe(true);
  });

  it('for calls is the longest drainTimeoutMs, and begins after drainDelayMs', async () => {
    const timeouts = [
      { drainDelayMs: 1_000, drainTimeoutMs: 400 },
      { drainDelayMs: 0, drainTimeoutMs: 700 },
    ];
    const { registrar } = await startWith(timeouts, boundServer(1, true));
    const end = follow(registrar.shutDown());
    await vi.advanceTimersByTimeAsync(1_699);
    expect([end.isOver, forced]).toEqual([false, 0]);
    await vi.advanceTimersByTimeAsync(1_001);
    expect([end.isOver, forced]).toEqual([true, 1]);
  });

  it('for calls is 10 s if the application has no service', async () => {
    const { registrar } = createRegistrar({ health: true });
    const server = boundServer(1, true);
    await registrar.onBound(server);
    const closed = follow(registrar.onClosing(server));
    await vi.advanceTimersByTimeAsync(9_999);
    expect(forced).toBe(0);
    await vi.advanceTimersByTimeAsync(1_001);
    expect([closed.isOver, forced]).toEqual([true, 1]);
  });
});

describe('a second signal', () => {
  const service = { name: 'api', drainDelayMs: 0, drainTimeoutMs: 600_000 };
  let before = 0;
  beforeEach(() => {
    // Nest's shutdown hooks add such a listener; without one the signal would end this process.
    process.on('SIGTERM', ignore);
    before = process.listenerCount('SIGTERM');
  });
  afterEach(() => {
    process.off('SIGTERM', ignore);
  });

  const start = async (...servers: BoundServer[]) => {
    const { registrar } = createRegistrar({ service });
    await registrar.onBootstrapped();
    for (const server of servers) await registrar.onBound(server);
    return registrar;
  };

  it.each([
    ['first', [boundServer(1), boundServer(2, true)]],
    ['second', [boundServer(1, true), boundServer(2)]],
  ])(
    'ends the wait for the calls of one of two servers, even if the %s server has no calls',
    async (_which, servers) => {
      const registrar = await start(...servers);
      const end = follow(registrar.shutDown());
      await vi.advanceTimersByTimeAsync(1_000);
      process.emit('SIGTERM', 'SIGTERM');
      await vi.advanceTimersByTimeAsync(1_000);
      expect(end.isOver).toBe(true);
      expect(process.listenerCount('SIGTERM')).toBe(before);
    },
  );

  it('ends the waiting while servers that were closed one by one still have calls', async () => {
    const servers = [boundServer(1, true), boundServer(2)];
    const registrar = await start(...servers);
    const [first, second] = servers.map((server) => follow(registrar.onClosing(server)));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(second?.isOver).toBe(true);
    process.emit('SIGTERM', 'SIGTERM');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(first?.isOver).toBe(true);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it('ends the wait for the calls of an only server that the application closes, unless it comes within 100 ms of the close', async () => {
    const server = boundServer(1, true);
    const registrar = await start(server);
    const closed = follow(registrar.onClosing(server));
    await vi.advanceTimersByTimeAsync(50);
    process.emit('SIGTERM', 'SIGTERM');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(closed.isOver).toBe(false);
    process.emit('SIGTERM', 'SIGTERM');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(closed.isOver).toBe(true);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it('has no effect while another server still serves', async () => {
    const servers = [boundServer(1, true), boundServer(2)];
    const registrar = await start(...servers);
    if (servers[0] !== undefined) void registrar.onClosing(servers[0]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(process.listenerCount('SIGTERM')).toBe(before);
    const end = follow(registrar.shutDown());
    await vi.advanceTimersByTimeAsync(1_000);
    process.emit('SIGTERM', 'SIGTERM');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(end.isOver).toBe(true);
  });

  it('has no effect right after the first signal, because it is an echo, nor after the shutdown', async () => {
    const registrar = await start(boundServer(1, true));
    const end = follow(registrar.shutDown());
    await vi.advanceTimersByTimeAsync(50);
    process.emit('SIGTERM', 'SIGTERM');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(end.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(service.drainTimeoutMs);
    expect(end.isOver).toBe(true);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});

async function startTwo(...services: object[]) {
  const servers = [boundServer(1), boundServer(2)] as const;
  const { registry, registrar } = createRegistrar({
    service: services.map((service) => ({ name: 'api', drainDelayMs: 0, ...service })),
  });
  await registrar.onBootstrapped();
  for (const server of servers) await registrar.onBound(server);
  const records = () => registrar.status.registrations.map(({ key }) => key);
  return { registry, registrar, servers, records };
}

describe('two gRPC servers', () => {
  it('register a service only for the server that its option names', async () => {
    const { records } = await startTwo(
      { name: 'one', server: 'package1' },
      { name: 'two', server: '127.0.0.1:2' },
      { name: 'both' },
    );
    expect(records().sort()).toEqual([
      'both/127.0.0.1:1',
      'both/127.0.0.1:2',
      'one/127.0.0.1:1',
      'two/127.0.0.1:2',
    ]);
  });

  it('behind one address keep their record until the last of them closes', async () => {
    const { registry, registrar, servers, records } = await startTwo({ address: 'public:80' });
    expect(records()).toEqual(['api/public:80']);
    await registrar.onClosing(servers[0]);
    expect(records()).toEqual(['api/public:80']);
    expect(registry.registrations).toHaveLength(1);
    await registrar.onClosing(servers[1]);
    expect(records()).toEqual([]);
  });

  it('behind one address remove their record when the last one that offers the service closes', async () => {
    const { registrar, servers, records } = await startTwo({
      address: 'public:80',
      server: 'package1',
    });
    await registrar.onClosing(servers[0]);
    expect(records()).toEqual([]);
  });

  it('with one key: when one of them closes, the other registers its own address under that key', async () => {
    const { registrar, servers, records } = await startTwo({ key: 'main' });
    expect(records()).toEqual(['api/127.0.0.1:1']);
    await registrar.onClosing(servers[0]);
    await vi.advanceTimersByTimeAsync(0);
    expect(records()).toEqual(['api/127.0.0.1:2']);
  });

  it('register nothing again while the application drains', async () => {
    const { registry, registrar, servers } = await startTwo({ key: 'main' });
    await registrar.drain();
    await registrar.onClosing(servers[0]);
    await vi.advanceTimersByTimeAsync(0);
    expect(registry.registrations).toHaveLength(1);
  });

  it('are registered independently, even if one closes during the look-up of its address', async () => {
    const { registrar } = createRegistrar({ service: { name: 'api', drainDelayMs: 0 } });
    const servers = [boundServer(1), boundServer(2)] as const;
    for (const server of servers) await registrar.onBound(server);
    vi.spyOn(ServiceAddresses.prototype, 'of').mockImplementationOnce(async () => {
      void registrar.onClosing(servers[0]);
      return servers[0].url;
    });
    await registrar.onBootstrapped();
    expect(registrar.status.registrations).toMatchObject([{ key: 'api/127.0.0.1:2' }]);
  });
});

// The registrar of these tests knows no server before it is bound, and logs a warning about that.
const reminders = () => warnings.filter((text) => text.includes('and clients cannot find it'));

describe('the reminder about a bound server that is not registered', () => {
  const service = { name: 'api', drainDelayMs: 0 };

  it.each([
    ['the first address of the server', ['10.0.0.1:5000', '10.0.0.2:5000'], '10.0.0.1:5000'],
    ["the server's url if its addresses are unknown", [], '127.0.0.1:1'],
  ])('contains %s', async (_, addresses, shown) => {
    const { registrar } = createRegistrar({ service });
    await registrar.onBound({ ...boundServer(1), addresses });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(reminders()).toEqual([expect.stringContaining(`the gRPC server at ${shown} accepts`)]);
    await registrar.shutDown();
  });
  const notInitialized = expect.stringMatching(
    /^Service "api" is not registered, .*127\.0\.0\.1:1 .*Call "await app\.init\(\)" or "await app\.listen\(port\)"/,
  );

  it('comes after 5 s and then each minute if nothing initializes the application', async () => {
    const { registrar } = createRegistrar({ service });
    await registrar.onBound(boundServer(1));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(reminders()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(reminders()).toEqual([notInitialized]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reminders()).toHaveLength(2);
    await registrar.onBootstrapped();
    expect(registrar.status.state).toBe('registered');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(reminders()).toHaveLength(2);
  });

  it('does not come while the application initializes, however long that takes', async () => {
    const { registrar } = createRegistrar({ service });
    await registrar.onBound(boundServer(1));
    registrar.onInitializing();
    await vi.advanceTimersByTimeAsync(600_000);
    await registrar.onBootstrapped();
    expect(reminders()).toEqual([]);
  });

  it('does not come if the application offers no service, or has shut down', async () => {
    await createRegistrar({ health: true }).registrar.onBound(boundServer(1));
    const { registrar } = createRegistrar({ service });
    await registrar.onBound(boundServer(1));
    await registrar.shutDown();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(reminders()).toEqual([]);
  });

  it('contains the reason of the readiness check if the application was never ready', async () => {
    const readiness = {
      check: () => Promise.reject(new Error('database away')),
      intervalMs: 1_000,
    };
    const { registrar } = createRegistrar({ service, readiness });
    await registrar.onBootstrapped();
    await registrar.onBound(boundServer(1));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(reminders()).toEqual([
      'Service "api" is not registered, and clients cannot find it: the application is not ready to serve (database away). It is registered as soon as it is.',
    ]);
    await registrar.shutDown();
  });
});
