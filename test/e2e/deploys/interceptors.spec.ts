/** The interceptors of a user's server and the library's tracking of calls work together. */
import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { NestFactory } from '@nestjs/core';
import type { ClientGrpc } from '@nestjs/microservices';
import { lastValueFrom, type Observable } from 'rxjs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startTestEtcd, type TestEtcd } from '../../support/test-etcd.js';
import { grpcOptions, startUserClient, userModule } from '../../support/user-apps.js';

let etcd: TestEtcd;
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  etcd = await startTestEtcd();
});
afterAll(() => etcd.stop());
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A server with interceptors of the user, and a client that holds a stream open. */
async function start(service: object, ...interceptors: ServerInterceptor[]) {
  const discovery = { etcd: { hosts: etcd.hosts }, service: { name: 'api', ...service } };
  const { transport, options } = grpcOptions();
  const server = await NestFactory.createMicroservice(userModule({ discovery }), {
    transport,
    options: { ...options, channelOptions: { interceptors } },
    logger: false,
  });
  await server.listen();
  const client = await startUserClient({ etcd: { hosts: etcd.hosts } });
  closers.push(client.close, () => server.close());
  const users = (client.client as ClientGrpc).getService<{
    watch(request: object): Observable<unknown>;
  }>('User');
  return { server, client, watch: () => lastValueFrom(users.watch({ name: 'a' })) };
}

const passing: ServerInterceptor = (_method, call) => new ServerInterceptingCall(call);

const refusing: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start: () => call.sendStatus({ code: status.UNAUTHENTICATED, details: 'who are you?' }),
  });

it('a stream behind an interceptor ends when its connection is too old', async () => {
  const age = { maxConnectionAgeMs: 100, maxConnectionAgeGraceMs: 100 };
  const { watch } = await start(age, passing);
  await expect(watch()).rejects.toMatchObject({ code: status.UNAVAILABLE });
  // Above this limit of the test the client's own keepalive would end the stream, after 20 s.
}, 10_000);

it('a stream behind an interceptor ends with UNAVAILABLE after drainTimeoutMs', async () => {
  const { client, server, watch } = await start({ drainDelayMs: 0, drainTimeoutMs: 100 }, passing);
  const watching = watch();
  await client.login();
  await Promise.all([
    server.close(),
    expect(watching).rejects.toMatchObject({ code: status.UNAVAILABLE }),
  ]);
});

it('an interceptor can answer a call by itself', async () => {
  const { client } = await start({}, refusing);
  await expect(client.login()).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
});
