/** A server is in etcd exactly while it can serve: in every order of the start, and at every kind of end. */
import { Injectable, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServerGrpc } from '@nestjs/microservices';
import { Etcd3 } from 'etcd3';
import { DiscoveryModule, ServiceRegistrar } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { freePort } from '../support/free-port.js';
import { startTestEtcd, type TestEtcd } from '../support/test-etcd.js';
import { createHybrid, grpcOptions, startUserServer, userModule } from '../support/user-apps.js';

let etcd: TestEtcd;
let reader: Etcd3;
const closers: (() => Promise<unknown>)[] = [];
let namespace = '';
let count = 0;

beforeAll(async () => {
  etcd = await startTestEtcd();
  reader = new Etcd3({ hosts: etcd.hosts });
});
afterAll(async () => {
  reader.close();
  await etcd.stop();
});
beforeEach(() => {
  namespace = `test-${++count}/`;
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const discovery = () => ({ etcd: { hosts: etcd.hosts, namespace }, service: { name: 'api' } });
const records = async () =>
  Object.entries(await reader.getAll().prefix(`${namespace}api/`).strings());
const closing = <App extends { close(): Promise<unknown> }>(app: App): App => {
  closers.push(() => app.close());
  return app;
};

/** Waits until the first record contains this text, from its metadata on. */
const untilRecordSays = (text: string) =>
  expect
    .poll(async () => {
      const [[, value = ''] = []] = await records();
      return value.slice(value.indexOf('"Metadata"'));
    })
    .toBe(text);

/** A provider of the user, whose hooks look into etcd. */
function hookSpy() {
  const seen: Record<string, number> = {};
  const look = async (hook: string) => {
    seen[hook] = (await records()).length;
  };
  @Injectable()
  class HookSpy {
    onModuleInit = () => look('onModuleInit');
    onApplicationBootstrap = () => look('onApplicationBootstrap');
    onModuleDestroy = () => look('onModuleDestroy');
    beforeApplicationShutdown = () => look('beforeApplicationShutdown');
  }
  return { HookSpy, seen };
}

describe('start', () => {
  it('a pure microservice is registered, with its real port, when listen() resolves', async () => {
    const { HookSpy, seen } = hookSpy();
    const app = await NestFactory.createMicroservice(
      userModule({ discovery: discovery(), providers: [HookSpy] }),
      { ...grpcOptions(), logger: false },
    );
    closing(app);
    expect(await records()).toEqual([]);
    await app.listen();
    const [[key, value] = []] = await records();
    expect(key).toMatch(/\/api\/127\.0\.0\.1:[1-9]\d+$/);
    const address = key?.split('/').at(-1);
    expect(value).toBe(`{"Op":0,"Addr":"${address}","Metadata":null}`);
    expect(seen).toEqual({ onModuleInit: 0, onApplicationBootstrap: 0 });
  });

  it('a hybrid that starts its microservices first is registered only after every bootstrap hook', async () => {
    const { HookSpy, seen } = hookSpy();
    const app = closing(await createHybrid({ discovery: discovery(), providers: [HookSpy] }));
    app.connectMicroservice(grpcOptions());
    await app.startAllMicroservices();
    expect(await records()).toEqual([]);
    await app.listen(0, '127.0.0.1');
    expect(await records()).toHaveLength(1);
    expect(seen['onApplicationBootstrap']).toBe(0);
  });

  it('a hybrid that listens first is registered when startAllMicroservices() resolves', async () => {
    const app = closing(await createHybrid({ discovery: discovery() }));
    app.connectMicroservice(grpcOptions());
    await app.listen(0, '127.0.0.1');
    expect(await records()).toEqual([]);
    await app.startAllMicroservices();
    expect(await records()).toHaveLength(1);
  });

  it('a hybrid with deferInitialization, whose bootstrap hooks run twice, is registered once', async () => {
    const app = closing(await createHybrid({ discovery: discovery() }));
    app.connectMicroservice(grpcOptions(), { deferInitialization: true });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    expect(await records()).toHaveLength(1);
    expect(app.get(ServiceRegistrar, { strict: false }).status.registrations).toHaveLength(1);
  });

  it('two gRPC servers of one application have two records', async () => {
    const app = closing(await createHybrid({ discovery: discovery() }));
    app.connectMicroservice(grpcOptions());
    app.connectMicroservice(grpcOptions());
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    expect(await records()).toHaveLength(2);
  });

  it('a service whose option names one of two gRPC servers is registered for that server only', async () => {
    const url = `127.0.0.1:${await freePort()}`;
    const service = [{ name: 'api', server: url }, { name: 'api2' }];
    const app = closing(await createHybrid({ discovery: { ...discovery(), service } }));
    app.connectMicroservice(grpcOptions());
    app.connectMicroservice(grpcOptions(url));
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    expect((await records()).map(([key]) => key)).toEqual([`${namespace}api/${url}`]);
    expect(await reader.getAll().prefix(`${namespace}api2/`).keys()).toHaveLength(2);
  });

  it.each(['microservices first', 'HTTP first'])(
    'a service whose option names no server of the application fails the start, with %s',
    async (order) => {
      const service = { name: 'api', server: 'billing' };
      const app = closing(await createHybrid({ discovery: { ...discovery(), service } }));
      app.connectMicroservice(grpcOptions());
      if (order === 'microservices first') await app.startAllMicroservices();
      await expect(app.listen(0, '127.0.0.1')).rejects.toThrow(
        '[INVALID_OPTION] option service.server is "billing"; allowed: the url or a package of a gRPC server of this application, which has 127.0.0.1:0 (user)',
      );
      expect(await records()).toEqual([]);
    },
  );

  it('a server that is connected only after the start is checked against the option server, too', async () => {
    const service = { name: 'api', server: 'billing' };
    const app = closing(await createHybrid({ discovery: { ...discovery(), service } }));
    await app.listen(0, '127.0.0.1');
    app.connectMicroservice(grpcOptions());
    await expect(app.startAllMicroservices()).rejects.toThrow('option service.server is "billing"');
    expect(await records()).toEqual([]);
  });

  it.each(['0.0.0.0:0', '[::]:0'])(
    'a server bound to %s never advertises a wildcard',
    async (url) => {
      closing(await startUserServer({ discovery: discovery(), url }));
      const [[key = ''] = []] = await records();
      const address = key.slice(`${namespace}api/`.length);
      expect(address).toMatch(/^(127\.0\.0\.1|\[::1\]):[1-9]\d+$/);
    },
  );

  it('weight, version and zone stand beside the metadata, whose keys are sorted as Go sorts them', async () => {
    const service = {
      name: 'api',
      weight: 5,
      version: '2',
      zone: 'b',
      metadata: { team: '<x>', a: 1 },
      address: '10.1.2.3:99',
    };
    closing(await startUserServer({ discovery: { ...discovery(), service } }));
    expect(await records()).toEqual([
      [
        `${namespace}api/10.1.2.3:99`,
        '{"Op":0,"Addr":"10.1.2.3:99","Metadata":{"a":1,"team":"\\u003cx\\u003e"},"Discovery":{"weight":5,"version":"2","zone":"b"}}',
      ],
    ]);
  });

  it('a server that could not bind is not registered', async () => {
    const port = await freePort();
    closing(await startUserServer({ discovery: discovery(), url: `127.0.0.1:${port}` }));
    const second = NestFactory.createMicroservice(userModule({ discovery: discovery() }), {
      ...grpcOptions(`127.0.0.1:${port}`),
      logger: false,
    });
    const app = closing(await second);
    await expect(app.listen()).rejects.toThrow(/EADDRINUSE|No address added/);
    expect(await records()).toHaveLength(1);
  });

  it('an application without a gRPC server logs one clear warning', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    try {
      const app = closing(await createHybrid({ discovery: discovery() }));
      await app.listen(0, '127.0.0.1');
      const lines = warn.mock.calls.map(([line]) => String(line));
      expect(lines.filter((line) => line.includes('"api" is not registered'))).toHaveLength(1);
      expect(await records()).toEqual([]);
    } finally {
      warn.mockRestore();
    }
  });

  it('forRootAsync registers as forRoot does', async () => {
    @Module({ imports: [DiscoveryModule.forRootAsync({ useFactory: () => discovery() })] })
    class AsyncModule {}
    const app = closing(
      await NestFactory.createMicroservice(AsyncModule, { ...grpcOptions(), logger: false }),
    );
    await app.listen();
    expect(await records()).toHaveLength(1);
  });
});

describe('start while etcd is away', () => {
  it('the server runs, and is registered as soon as etcd answers', async () => {
    const port = await freePort();
    const hosts = [`http://127.0.0.1:${port}`];
    const app = closing(
      await startUserServer({
        discovery: { etcd: { hosts, requestTimeoutMs: 200 }, service: { name: 'api' } },
      }),
    );
    const registrar = app.get(ServiceRegistrar, { strict: false });
    expect(registrar.status.state).toBe('registering');
    const late = await startTestEtcd({ port });
    try {
      await firstValueFrom(registrar.status$.pipe(filter(({ state }) => state === 'registered')));
      const other = new Etcd3({ hosts });
      expect(await other.getAll().prefix('api/').keys()).toHaveLength(1);
      other.close();
      await closers.pop()?.();
    } finally {
      await late.stop();
    }
  });

  it('failFast makes listen() fail, and the error names the record and the cause', async () => {
    const hosts = [`http://127.0.0.1:${await freePort()}`];
    const start = startUserServer({
      discovery: {
        etcd: { hosts, requestTimeoutMs: 200 },
        service: { name: 'api' },
        failFast: true,
      },
    });
    await expect(start).rejects.toThrow(
      /^\[REGISTRY_UNAVAILABLE\] api\/127\.0\.0\.1:\d+ could not/,
    );
  });
});

describe('end', () => {
  it('app.close() of a pure microservice removes the record before the server closes', async () => {
    const server = new ServerGrpc(grpcOptions().options);
    const close = server.close.bind(server);
    let atClose = -1;
    server.close = async () => {
      atClose = (await records()).length;
      await close();
    };
    const app = await NestFactory.createMicroservice(userModule({ discovery: discovery() }), {
      strategy: server,
      logger: false,
    });
    await app.listen();
    expect(await records()).toHaveLength(1);
    await app.close();
    expect(atClose).toBe(0);
  });

  it('app.close() of a hybrid removes the record before any hook of the user', async () => {
    const { HookSpy, seen } = hookSpy();
    const app = await createHybrid({ discovery: discovery(), providers: [HookSpy] });
    app.connectMicroservice(grpcOptions());
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    expect(await records()).toHaveLength(1);
    await app.close();
    expect(seen).toMatchObject({ onModuleDestroy: 0, beforeApplicationShutdown: 0 });
  });

  it('the lease is revoked with the record', async () => {
    const app = await startUserServer({ discovery: discovery() });
    expect(await leaseCount()).toBe(1);
    await app.close();
    expect(await leaseCount()).toBe(0);
  });

  it('drain() removes the record while the server goes on, and a second call changes nothing', async () => {
    const app = closing(await startUserServer({ discovery: discovery() }));
    const registrar = app.get(ServiceRegistrar, { strict: false });
    const first = registrar.drain();
    expect(registrar.drain()).toBe(first);
    await first;
    expect(await records()).toEqual([]);
    expect(registrar.status).toEqual({ state: 'drained', registrations: [] });
  });

  it('update() changes the record in place', async () => {
    const app = closing(await startUserServer({ discovery: discovery() }));
    const registrar = app.get(ServiceRegistrar, { strict: false });
    await untilRecordSays('"Metadata":null}');
    registrar.update({ weight: 7 });
    await untilRecordSays('"Metadata":null,"Discovery":{"weight":7}}');
    registrar.update({ zone: 'b', metadata: { canary: true } });
    await untilRecordSays('"Metadata":{"canary":true},"Discovery":{"weight":7,"zone":"b"}}');
    registrar.update({ version: '2', metadata: { team: 'a' } });
    await untilRecordSays(
      '"Metadata":{"canary":true,"team":"a"},"Discovery":{"weight":7,"version":"2","zone":"b"}}',
    );
    expect(await leaseCount()).toBe(1);
  });
});

async function leaseCount(): Promise<number> {
  const { leases } = await reader.leaseClient.leaseLeases();
  return leases.length;
}
