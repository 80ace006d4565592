/** How a server process ends: what its callers see, and how long the end may take. */
import { setTimeout as pause } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EtcdRegistry } from '../../../lib/etcd/etcd-registry.js';
import { asTally, type ClientOptions, startClient, type Tally } from '../../interop/fleet.js';
import { compileApps, startApp } from '../../support/child-app.js';
import { DeployStage } from '../../support/deploy-stage.js';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { type EventProcess, stopEventProcesses } from '../../support/event-process.js';

/** The allowed excess over a bound: one second, and two for a busy machine. */
const MARGIN_MS = 1_000 + 2_000;
const FOR_EVER = { method: 'watch', holdMs: 600_000, timeoutMs: 60_000 } as const;

describeEtcd('the end of a server', (binary) => {
  let etcd: EtcdProcess;
  let reader: Etcd3;
  let url = '';
  beforeAll(async () => {
    await compileApps();
    etcd = await EtcdProcess.start({ binary });
    url = etcd.hosts[0] ?? '';
    reader = new Etcd3({ hosts: etcd.hosts });
  });
  afterEach(stopEventProcesses);
  afterAll(async () => {
    reader?.close();
    await etcd?.stop();
  });

  const keys = (service: string) => reader.getAll().prefix(`${service}/`).keys();
  const server = async (service: string, options: object, env: Record<string, string> = {}) => {
    const app = await startApp('api-server', {
      ETCD_HOSTS: url,
      SERVICE: service,
      SERVICE_OPTIONS: JSON.stringify(options),
      EMIT_CALLS: '1',
      ...env,
    });
    await app.waitForEvent('listening');
    return app;
  };
  /** Starts one call; resolves with its client when the call has reached the server. */
  const callOne = async (app: EventProcess, service: string, call: ClientOptions) => {
    const client = await startClient('nest', url, service, call);
    await app.waitForEvent(({ event, holdMs }) => event === 'call' && holdMs === call.holdMs);
    return client;
  };
  /** Resolves when etcd has no record of a service any more. */
  const untilWithdrawn = async (service: string) => {
    while ((await keys(service)).length > 0) {}
  };
  it('calls under way finish, and the process ends right after', async () => {
    const app = await server('running', { drainDelayMs: 100 });
    const client = await callOne(app, 'running', { holdMs: 1_500 });
    const { exit, elapsedMs } = await endOf(app, 'SIGTERM');
    expect(await outcome(client)).toMatchObject({ calls: 1, failed: 0 });
    expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
    expect(elapsedMs).toBeLessThan(100 + 1_500 + MARGIN_MS);
  });

  it('a call that lasts longer than several ping intervals of its client still finishes', async () => {
    const app = await server('pinged', { drainDelayMs: 0, drainTimeoutMs: 30_000 });
    // grpc-js also pings connections that got a GOAWAY; it takes the failure of such a ping for a lost
    // connection.
    const clientOptions = { keepalive: { keepaliveTimeMs: 300, keepaliveTimeoutMs: 1_000 } };
    const client = await callOne(app, 'pinged', { holdMs: 2_000, clientOptions });
    app.kill('SIGTERM');
    expect(await outcome(client)).toMatchObject({ calls: 1, failed: 0 });
  });

  it.each([
    ['silent', {}],
    ['busy', { STREAM_EVERY_MS: '1' }],
  ] as const)(
    'a %s stream that never ends gets UNAVAILABLE after drainTimeoutMs',
    async (kind, env) => {
      const app = await server(kind, { drainDelayMs: 0, drainTimeoutMs: 700 }, env);
      const client = await callOne(app, kind, FOR_EVER);
      const startedMs = performance.now();
      app.kill('SIGTERM');
      const { byCode, messages } = (await client.waitForEvent('done')) as unknown as {
        byCode: object;
        messages: string[];
      };
      expect(performance.now() - startedMs).toBeGreaterThan(600);
      expect(await app.exit).toEqual({ code: null, signal: 'SIGTERM' });
      expect(performance.now() - startedMs).toBeLessThan(700 + MARGIN_MS);
      expect(byCode).toEqual({ UNAVAILABLE: 1 });
      expect(messages[0]).toContain('shutting down');
      expect(app.stderr).toBe('');
    },
  );

  it('a second signal ends the waiting of the shutdown', async () => {
    const app = await server('forced', { drainDelayMs: 0, drainTimeoutMs: 600_000 });
    const client = await callOne(app, 'forced', FOR_EVER);
    app.kill('SIGTERM');
    await untilWithdrawn('forced');
    await echoIsOver();
    const { elapsedMs } = await endOf(app, 'SIGINT');
    expect(elapsedMs).toBeLessThan(MARGIN_MS);
    expect(await outcome(client)).toMatchObject({ byCode: { UNAVAILABLE: 1 } });
  });

  it('a signal during app.close() ends the waiting of the shutdown', async () => {
    const app = await server('both', { drainDelayMs: 0, drainTimeoutMs: 600_000 });
    const client = await callOne(app, 'both', FOR_EVER);
    app.kill('SIGUSR2');
    await untilWithdrawn('both');
    await echoIsOver();
    const { elapsedMs } = await endOf(app, 'SIGTERM');
    expect(elapsedMs).toBeLessThan(MARGIN_MS);
    expect(await outcome(client)).toMatchObject({ byCode: { UNAVAILABLE: 1 } });
  });

  it('two gRPC servers of one application both drain', async () => {
    const stage = new DeployStage('nest', url, 'twins', { settings: { SERVERS: '2' } });
    await stage.grow(2);
    expect(await keys('twins')).toHaveLength(4);
    await stage.call(
      { holdMs: 5, concurrency: 8 },
      { method: 'watch', holdMs: 700, concurrency: 8 },
    );
    await stage.shrink(1, 'SIGTERM');
    expect(await keys('twins')).toHaveLength(2);
    await stage.calls(32);
    for (const tally of await stage.finish()) expect(tally).toMatchObject({ failed: 0 });
  });

  it('drain() removes the record while the server goes on serving', async () => {
    const stage = new DeployStage('nest', url, 'drained');
    await stage.grow(2);
    await stage.call({ holdMs: 5, concurrency: 8 }, { holdMs: 700, concurrency: 8 });
    const app = stage.at(1);
    app.kill('SIGHUP');
    expect(await app.waitForEvent('drained')).toMatchObject({ state: 'drained' });
    expect(await keys('drained')).toHaveLength(1);
    app.kill('SIGHUP');
    expect(await app.nextEvent('drained')).toMatchObject({ state: 'drained' });
    await stage.shrink(1, 'SIGTERM');
    await stage.calls(32);
    for (const tally of await stage.finish()) expect(tally).toMatchObject({ failed: 0 });
  });

  describe('with etcd away', () => {
    it.each([
      ['killed', 1],
      ['frozen', 1],
      ['frozen', 3],
    ] as const)('%s, %i hosts: the process still ends in time', async (how, count) => {
      const own = await EtcdProcess.start({ binary });
      const proxies = await Promise.all(
        Array.from({ length: count }, () => FaultProxy.start({ targetPort: own.port })),
      );
      try {
        const hosts = proxies.map(({ port }) => `http://127.0.0.1:${port}`);
        const app = await startApp('api-server', { ETCD_HOSTS: hosts.join(), SERVICE: how });
        await app.waitForEvent('listening');
        if (how === 'killed') await own.kill();
        else own.pause();
        const { exit, elapsedMs } = await endOf(app, 'SIGTERM');
        expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
        // The process knows that a killed etcd is gone; it waits 0.8 s, and then 0.2 s, for an answer of a
        // frozen one.
        expect(elapsedMs).toBeLessThan(200 + (how === 'frozen' ? 1_000 : 0) + MARGIN_MS);
      } finally {
        own.resume();
        await Promise.all(proxies.map((proxy) => proxy.stop()));
        await own.stop();
      }
    });

    it.each([
      [1, 1],
      [1, 2],
      [3, 1],
      [3, 2],
    ])(
      'with %i frozen hosts and %i services the exit takes half of requestTimeoutMs',
      async (count, services) => {
        const own = await EtcdProcess.start({ binary });
        const proxies = await Promise.all(
          Array.from({ length: count }, () => FaultProxy.start({ targetPort: own.port })),
        );
        const hosts = proxies.map(({ port }) => `http://127.0.0.1:${port}`);
        // The time is long, so that the delays of a busy machine do not matter.
        const registry = new EtcdRegistry({ hosts, requestTimeoutMs: 10_000 });
        try {
          const registrations = Array.from({ length: services }, (_, index) =>
            registry.register({
              service: `api-${index}`,
              endpoint: { address: '127.0.0.1:1', metadata: null },
              ttlSeconds: 600,
            }),
          );
          for (const { status$ } of registrations) {
            await firstValueFrom(status$.pipe(filter(({ state }) => state === 'registered')));
          }
          own.pause();
          const startedMs = performance.now();
          await Promise.all(registrations.map((registration) => registration.close()));
          await registry.close();
          const elapsedMs = performance.now() - startedMs;
          expect(elapsedMs).toBeGreaterThan(3_900);
          expect(elapsedMs).toBeLessThan(5_000 + 1_000);
        } finally {
          own.resume();
          await registry.close();
          await Promise.all(proxies.map((proxy) => proxy.stop()));
          await own.stop();
        }
      },
    );

    it.each(['SIGTERM', 'SIGUSR2'] as const)(
      'a signal after %s also ends the waiting for a frozen etcd',
      async (first) => {
        const own = await EtcdProcess.start({ binary });
        try {
          const app = await startApp('api-server', {
            ETCD_HOSTS: own.hosts.join(),
            REQUEST_TIMEOUT_MS: '60000',
          });
          await app.waitForEvent('listening');
          own.pause();
          app.kill(first);
          await echoIsOver();
          const { exit, elapsedMs } = await endOf(app, 'SIGTERM');
          expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
          expect(elapsedMs).toBeLessThan(MARGIN_MS);
        } finally {
          own.resume();
          await own.stop();
        }
      },
    );
  });
});

async function outcome(client: EventProcess): Promise<Tally> {
  return asTally(await client.waitForEvent('done'));
}

/** Waits until a further signal no longer counts as an echo of the first one. */
function echoIsOver(): Promise<void> {
  return pause(200);
}

async function endOf(app: EventProcess, signal: NodeJS.Signals) {
  const startedMs = performance.now();
  app.kill(signal);
  const exit = await app.exit;
  return { exit, elapsedMs: performance.now() - startedMs };
}
