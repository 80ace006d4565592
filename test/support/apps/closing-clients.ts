/**
 * Client applications that make one call each and close; then the process has to end by itself. `CLIENTS`
 * says in JSON where the service of each client is.
 */
import 'reflect-metadata';
import { credentials } from '@grpc/grpc-js';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ClientGrpc } from '@nestjs/microservices';
import { DiscoveryModule, getGrpcClientToken, StaticRegistry } from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';
import { emit, endWithTestProcess, jsonSetting, setting } from './app-events.js';

interface ClientPlace {
  /** The addresses of the service; absent if `etcd` is set. */
  readonly endpoints?: readonly string[];
  /** The host of the etcd that has the addresses of the service; absent if `endpoints` is set. */
  readonly etcd?: string;
  /** True: the service is called over TLS. */
  readonly isSecure?: boolean;
}

async function start({ endpoints, etcd = '', isSecure }: ClientPlace) {
  const registry =
    endpoints === undefined
      ? { etcd: { hosts: [etcd], requestTimeoutMs: 200 } }
      : { registry: new StaticRegistry({ api: endpoints }) };
  const client = {
    name: 'api',
    package: 'user',
    protoPath: setting('USER_PROTO'),
    ...(isSecure === true ? { credentials: credentials.createSsl() } : {}),
  };
  @Module({ imports: [DiscoveryModule.forRoot({ ...registry, clients: [client] })] })
  class ClientModule {}
  const app = await NestFactory.createApplicationContext(ClientModule, {
    logger: false,
    abortOnError: false,
  });
  const users = app
    .get<ClientGrpc>(getGrpcClientToken('api'))
    .getService<{ login(request: object, options: object): Observable<{ server: string }> }>(
      'User',
    );
  const answer = await firstValueFrom(
    users.login({ name: 'x' }, { deadline: Date.now() + 2_000 }),
  ).catch(() => undefined);
  emit('called', { server: answer?.server });
  return app;
}

endWithTestProcess();
const apps = await Promise.all((jsonSetting<ClientPlace[]>('CLIENTS') ?? []).map(start));
await Promise.all(apps.map((app) => app.close()));
emit('closed');
process.on('exit', () => emit('ended'));
