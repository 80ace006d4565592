/** Targets resolve in plain grpc-js and in Nest's own ClientsModule; registries in one process stay apart. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { ChannelCredentials, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { type ClientGrpc, ClientsModule, Transport } from '@nestjs/microservices';
import {
  EtcdRegistry,
  MemoryRegistry,
  registerDiscoveryResolver,
  StaticRegistry,
} from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestEtcd, type TestEtcd } from '../support/test-etcd.js';
import {
  countByServer,
  startUserClient,
  startUserServer,
  userProtoPath,
} from '../support/user-apps.js';

interface PlainUserClient {
  login(request: object, callback: (error: Error | null, reply?: { server: string }) => void): void;
  close(): void;
}
type PlainUserConstructor = new (target: string, creds: ChannelCredentials) => PlainUserClient;

const loaded = loadPackageDefinition(loadSync(userProtoPath)) as unknown as {
  user: { User: PlainUserConstructor };
};

let etcd: TestEtcd;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  etcd = await startTestEtcd();
});
afterAll(() => etcd.stop());
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function plainLogin(target: string): Promise<string | undefined> {
  const client = new loaded.user.User(target, credentials.createInsecure());
  closers.push(() => client.close());
  return new Promise((resolve, reject) =>
    client.login({ name: 'x' }, (error, reply) => (error ? reject(error) : resolve(reply?.server))),
  );
}

async function server(id: string, discovery: Parameters<typeof startUserServer>[0]['discovery']) {
  const app = await startUserServer({ id, discovery });
  closers.push(() => app.close());
  return app;
}

describe('plain grpc-js', () => {
  it.each(['http_proxy', 'grpc_proxy', 'https_proxy'])(
    'dials endpoints and no proxy, even if %s is set',
    async (variable) => {
      let visits = 0;
      const proxy = createServer((socket) => {
        visits++;
        socket.destroy();
      });
      await once(proxy.listen(0, '127.0.0.1'), 'listening');
      const { port } = proxy.address() as AddressInfo;
      vi.stubEnv(variable, `http://127.0.0.1:${port}`);
      for (const name of ['no_proxy', 'no_grpc_proxy']) vi.stubEnv(name, '');
      closers.push(() => {
        vi.unstubAllEnvs();
        proxy.close();
      });
      const registry = new MemoryRegistry();
      await server('direct', { registry, service: { name: 'api' } });
      closers.push(registerDiscoveryResolver(registry));
      expect(await plainLogin('memory:///api')).toBe('direct');
      expect(visits).toBe(0);
    },
  );

  it.each([
    ['etcd:///api', 'api'],
    ['etcd:/api', 'api'],
    ['etcd:api', 'api'],
    ['ETCD:///api', 'api'],
    ['Etcd:///api', 'api'],
    ['etcd://anything/api', 'api'],
    ['etcd:///api?x#f', 'api'],
    ['etcd:///a/b/c', 'a/b/c'],
    ['etcd:///a%2Fb%2Fc', 'a/b/c'],
    ['etcd:////api', '/api'],
    ['etcd:///svc.v1.2', 'svc.v1.2'],
    ['etcd:///api:v1', 'api:v1'],
    ['etcd:///a%20b', 'a b'],
    ['etcd:///s%C3%A9rvice', 'sérvice'],
  ])('the target %s reaches the service %s', async (target, service) => {
    await server(service, { etcd: { hosts: etcd.hosts }, service: { name: service } });
    const registry = new EtcdRegistry({ hosts: etcd.hosts });
    closers.push(() => registry.close(), registerDiscoveryResolver(registry));
    expect(await plainLogin(target)).toBe(service);
  });

  it('the target etcd:/// fails the call, and the error says why', async () => {
    const registry = new EtcdRegistry({ hosts: etcd.hosts });
    closers.push(() => registry.close(), registerDiscoveryResolver(registry));
    await expect(plainLogin('etcd:///?x')).rejects.toThrow(/INVALID_TARGET.*names no service/);
  });

  it('a registry of the user has its own scheme: user:///api', async () => {
    const memory = new MemoryRegistry();
    await server('mine', { registry: memory, service: { name: 'api' } });
    const [endpoint] = memory.endpoints('api');
    class UserRegistry extends StaticRegistry {
      override readonly scheme = 'user';
    }
    closers.push(registerDiscoveryResolver(new UserRegistry({ api: [endpoint?.address ?? ''] })));
    expect(await plainLogin('user:///api')).toBe('mine');
  });

  it("Nest's own ClientsModule dials etcd:///api, balanced by round_robin", async () => {
    for (const id of ['a', 'b']) {
      await server(id, { etcd: { hosts: etcd.hosts }, service: { name: 'plain' } });
    }
    const registry = new EtcdRegistry({ hosts: etcd.hosts });
    closers.push(() => registry.close(), registerDiscoveryResolver(registry));
    @Module({
      imports: [
        ClientsModule.register([
          {
            name: 'USERS',
            transport: Transport.GRPC,
            options: { package: 'user', protoPath: userProtoPath, url: 'etcd:///plain' },
          },
        ]),
      ],
    })
    class PlainModule {}
    const app = await NestFactory.createApplicationContext(PlainModule, { logger: false });
    closers.push(() => app.close());
    const users = app
      .get<ClientGrpc>('USERS')
      .getService<{ login(request: object): Observable<{ server: string }> }>('User');
    const seen = new Set<string>();
    await expect
      .poll(async () => {
        seen.add((await firstValueFrom(users.login({}))).server);
        return seen.size;
      })
      .toBe(2);
  });
});

it('applications with different registries in one process do not disturb each other', async () => {
  const [left, right] = [new MemoryRegistry(), new MemoryRegistry()];
  await server('left', { registry: left, service: { name: 'api' } });
  await server('right', { registry: right, service: { name: 'api' } });
  await server('etcd', { etcd: { hosts: etcd.hosts }, service: { name: 'shared' } });
  const clients = await Promise.all([
    startUserClient({ registry: left }),
    startUserClient({ registry: right }),
    startUserClient({ etcd: { hosts: etcd.hosts } }, { name: 'shared' }),
  ]);
  for (const client of clients) closers.push(() => client.close());
  expect(await Promise.all(clients.map((client) => countByServer(client, 5)))).toEqual([
    { left: 5 },
    { right: 5 },
    { etcd: 5 },
  ]);
});

it('a static list works without etcd', async () => {
  const memory = new MemoryRegistry();
  for (const id of ['9999', '9998', '9997']) {
    await server(id, { registry: memory, service: { name: 'api' } });
  }
  const addresses = memory.endpoints('api').map(({ address }) => address);
  const users = await startUserClient({ registry: new StaticRegistry({ api: addresses }) });
  closers.push(() => users.close());
  const counts = await countByServer(users, 30);
  expect(Object.keys(counts).toSorted()).toEqual(['9997', '9998', '9999']);
});
