/** An etcd that gives tokens and refuses every one of them: requests end, and are not repeated without end behind. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  loadPackageDefinition,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type ServerUnaryCall,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { EtcdRegistry } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';

const proto = join(dirname(createRequire(import.meta.url).resolve('etcd3')), '../proto/rpc.proto');

let server: Server;
let port: number;
let authentications: number;

function refuse(_: unknown, reply: sendUnaryData<unknown>): void {
  reply({ code: status.UNAUTHENTICATED, details: 'etcdserver: invalid auth token' });
}

beforeEach(async () => {
  const { etcdserverpb } = loadPackageDefinition(
    loadSync(proto, { keepCase: true }),
  ) as unknown as {
    etcdserverpb: Record<'KV' | 'Auth', ServiceClientConstructor>;
  };
  authentications = 0;
  server = new Server();
  server.addService(etcdserverpb.KV.service, { range: refuse, txn: refuse });
  server.addService(etcdserverpb.Auth.service, {
    authenticate: (_: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>): void => {
      authentications += 1;
      reply(null, { token: `token-${authentications}` });
    },
  });
  port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
});

afterEach(() => server.forceShutdown());

it('a list is refused after three tokens, and says so', async () => {
  const registry = new EtcdRegistry({
    hosts: [`http://127.0.0.1:${port}`],
    auth: { username: 'api', password: 'a secret' },
    // One attempt: the next one is far away.
    timings: { backoffBaseMs: 60_000, backoffCapMs: 60_000 },
  });
  try {
    const update = await firstValueFrom(
      registry.watch('api').pipe(filter(({ kind }) => kind === 'failure')),
    );
    expect(update).toMatchObject({ error: { code: 'REGISTRY_REJECTED' } });
    // A fourth token is asked for, and not used.
    expect(authentications).toBe(4);
    // Nothing goes on behind: the same after many turns of the event loop and a request of another service.
    await firstValueFrom(registry.watch('other').pipe(filter(({ kind }) => kind === 'failure')));
    expect(authentications).toBe(8);
  } finally {
    await registry.close();
  }
});
