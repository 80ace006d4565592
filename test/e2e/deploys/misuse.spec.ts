/** Mistakes in the use of the library: each causes a clear error or warning, and no harm. */
import { NestFactory } from '@nestjs/core';
import { Etcd3 } from 'etcd3';
import { DiscoveryError, DiscoveryModule, ServiceRegistrar } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { FaultProxy } from '../../support/fault-proxy.js';
import { freePort } from '../../support/free-port.js';
import { startTestEtcd, type TestEtcd } from '../../support/test-etcd.js';
import { createHybrid, grpcOptions, startUserServer, userModule } from '../../support/user-apps.js';

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
  namespace = `misuse-${++count}/`;
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const discovery = (service: object = {}) => ({
  etcd: { hosts: etcd.hosts, namespace },
  service: { name: 'api', drainDelayMs: 0, ...service },
});
const keys = () => reader.getAll().prefix(namespace).keys();
const closing = <App extends { close(): Promise<unknown> }>(app: App): App => {
  closers.push(() => app.close());
  return app;
};

it('of two applications with one address, the second has the record until it ends; then the first has it again', async () => {
  const service = { address: '10.0.0.1:50051', ttlSeconds: 2 };
  const first = closing(await startUserServer({ discovery: discovery(service) }));
  const second = await startUserServer({ discovery: discovery(service) });
  const registrar = first.get(ServiceRegistrar, { strict: false });
  const conflict = await firstValueFrom(
    registrar.status$.pipe(
      filter(({ registrations }) => registrations.some(({ state }) => state === 'conflict')),
    ),
  );
  expect(conflict.registrations).toMatchObject([
    { key: expect.stringMatching(/10\.0\.0\.1:50051$/) },
  ]);
  expect(await keys()).toEqual([`${namespace}api/10.0.0.1:50051`]);
  await second.close();
  // It does not matter which of the two wrote last: the first one notices at its next keepalive whether its
  // record is still there.
  await expect.poll(keys).toEqual([`${namespace}api/10.0.0.1:50051`]);
  await firstValueFrom(registrar.status$.pipe(filter(({ state }) => state === 'registered')));
});

it.each(['10.0.0.1', '10.0.0.1:0', '0.0.0.0:50051', ':50051', '10.0.0.1:70000', '[::]:50051'])(
  'the advertised address %s fails the start, and the error says why',
  (address) => {
    const start = () => DiscoveryModule.forRoot(discovery({ address }));
    expect(start).toThrow(DiscoveryError);
    expect(start).toThrow(/\[INVALID_OPTION\].*service\.address.*allowed: host:port/);
  },
);

it("a server that could not bind is not registered, and the application's other server still is", async () => {
  const port = await freePort();
  closing(await startUserServer({ discovery: { service: [] }, url: `127.0.0.1:${port}` }));
  const app = closing(await createHybrid({ discovery: discovery() }));
  app.connectMicroservice(grpcOptions());
  app.connectMicroservice(grpcOptions(`127.0.0.1:${port}`));
  await expect(app.startAllMicroservices()).rejects.toThrow(/EADDRINUSE|No address added/);
  await app.init();
  const written = await keys();
  expect(written).not.toContain(`${namespace}api/127.0.0.1:${port}`);
  expect(written.length).toBeLessThanOrEqual(1);
});

it('drain() removes the record once, however often and late it is called', async () => {
  const app = closing(await startUserServer({ discovery: discovery() }));
  const registrar = app.get(ServiceRegistrar, { strict: false });
  await Promise.all([registrar.drain(), registrar.drain()]);
  await registrar.drain();
  expect(registrar.status).toEqual({ state: 'drained', registrations: [] });
  await app.close();
  expect(registrar.status.state).toBe('drained');
});

it('drain() before the start keeps the application out of the registry', async () => {
  const app = closing(
    await NestFactory.createMicroservice(userModule({ discovery: discovery() }), {
      ...grpcOptions(),
      logger: false,
    }),
  );
  await app.get(ServiceRegistrar, { strict: false }).drain();
  await app.listen();
  expect(await keys()).toEqual([]);
});

it.each([0, 1, 5, 20])(
  'close() %i turns after listen() leaves no record and no open port',
  async (turns) => {
    const port = await freePort();
    const app = await NestFactory.createMicroservice(userModule({ discovery: discovery() }), {
      ...grpcOptions(`127.0.0.1:${port}`),
      logger: false,
    });
    const listening = app.listen().catch(() => {});
    for (let turn = 0; turn < turns; turn += 1)
      await new Promise((resolve) => setImmediate(resolve));
    await app.close();
    await listening;
    expect(await keys()).toEqual([]);
    // The port is free again: another server can bind it.
    closing(await startUserServer({ discovery: discovery(), url: `127.0.0.1:${port}` }));
  },
);

it('the error of listen() after close() says that a new application must be made', async () => {
  const app = await startUserServer({ discovery: discovery() });
  await app.close();
  await expect(app.listen()).rejects.toThrow(
    /^\[CLOSED\] the gRPC server at "127\.0\.0\.1:0" cannot listen again: it was closed.*hooks of its application have run.*Make another application with NestFactory$/,
  );
  expect(await keys()).toEqual([]);
});

it('the error of listen() after close() of one microservice says what close() ended in the hybrid application', async () => {
  const app = closing(await createHybrid({ discovery: discovery() }));
  const microservice = app.connectMicroservice(grpcOptions());
  await app.startAllMicroservices();
  await microservice.close();
  await expect(microservice.listen()).rejects.toThrow(
    /cannot listen again: .* the shutdown hooks of its application have run, and ended its clients/,
  );
});

it('close() while the registration waits for etcd ends the start', async () => {
  const proxy = await FaultProxy.start({ targetPort: Number(new URL(etcd.hosts[0] ?? '').port) });
  closers.push(() => proxy.stop());
  proxy.acceptOnly();
  const hosts = [`http://127.0.0.1:${proxy.port}`];
  const app = await NestFactory.createMicroservice(
    userModule({
      discovery: { ...discovery(), etcd: { hosts, namespace, requestTimeoutMs: 300 } },
    }),
    { ...grpcOptions(), logger: false },
  );
  const listening = app.listen().catch(() => {});
  await proxy.acceptedAtLeast(1);
  await app.close();
  await listening;
  proxy.resume();
  expect(await keys()).toEqual([]);
});

it('the gracefulShutdown of Nest is not needed, and does no harm', async () => {
  const { transport, options } = grpcOptions();
  const app = await NestFactory.createMicroservice(userModule({ discovery: discovery() }), {
    transport,
    options: { ...options, gracefulShutdown: true },
    logger: false,
  });
  await app.listen();
  await app.close();
  expect(await keys()).toEqual([]);
});
