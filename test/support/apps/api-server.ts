/**
 * A Nest gRPC server that registers itself, for tests that need it in a process of its own.
 *
 * Settings: `ETCD_HOSTS`; `SERVICE` (api); `SERVER_ID`; `URL` (127.0.0.1:0); `TTL_SECONDS` (10);
 * `REQUEST_TIMEOUT_MS`; `DELAY_MS` (0); `STREAM_EVERY_MS`; `SERVICE_OPTIONS`, JSON with further fields of
 * `service`, such as weight or drainDelayMs; `EMIT_CALLS` (1: an event `call` for each, with its holdMs);
 * `SERVERS` (1: a microservice; 2: a hybrid with two gRPC servers); `HYBRID` (1: HTTP and gRPC). Events:
 * `listening` once `listen()` has resolved, so the record is in etcd; `drained` after SIGHUP; `closed` after
 * an `app.close()`. SIGTERM and SIGINT end it through Nest's shutdown hooks, SIGUSR2 calls `app.close()` and
 * leaves the rest to Node, SIGHUP calls `drain()`.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { DiscoveryModule, ServiceRegistrar } from 'nestjs-grpc-discovery';
import { emit, endWithTestProcess, jsonSetting, numberSetting, setting } from './app-events.js';
import { USER_CONTROLLER_OPTIONS, UserController, type UserRequest } from './user.controller.js';

const requestTimeoutMs = numberSetting('REQUEST_TIMEOUT_MS');
const streamEveryMs = numberSetting('STREAM_EVERY_MS');

@Module({
  imports: [
    DiscoveryModule.forRoot({
      etcd: {
        hosts: setting('ETCD_HOSTS').split(','),
        ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
      },
      service: {
        name: setting('SERVICE', 'api'),
        ttlSeconds: Number(setting('TTL_SECONDS', '10')),
        ...jsonSetting<Record<string, unknown>>('SERVICE_OPTIONS'),
      },
    }),
  ],
  controllers: [UserController],
  providers: [
    {
      provide: USER_CONTROLLER_OPTIONS,
      useValue: {
        id: setting('SERVER_ID', 'nest'),
        delayMs: Number(setting('DELAY_MS', '0')),
        ...(streamEveryMs === undefined ? {} : { streamEveryMs }),
        ...(setting('EMIT_CALLS', '0') === '1'
          ? { onCall: ({ holdMs }: UserRequest) => emit('call', { holdMs }) }
          : {}),
      },
    },
  ],
})
class ApiModule {}

const grpc = (): MicroserviceOptions => ({
  transport: Transport.GRPC,
  options: {
    package: 'user',
    protoPath: setting('USER_PROTO'),
    url: setting('URL', '127.0.0.1:0'),
  },
});

/** The application, and the function that starts it. */
async function create() {
  const servers = Number(setting('SERVERS', '1'));
  if (servers === 1 && setting('HYBRID', '0') !== '1') {
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(ApiModule, grpc());
    return { app, start: () => app.listen() };
  }
  const app = await NestFactory.create(ApiModule);
  for (let server = 0; server < servers; server += 1) app.connectMicroservice(grpc());
  const start = async (): Promise<void> => {
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
  };
  return { app, start };
}

endWithTestProcess();
const { app, start } = await create();
app.enableShutdownHooks(['SIGTERM', 'SIGINT']);
process.once('SIGUSR2', () => {
  void app.close().then(() => emit('closed'));
});
process.on('SIGHUP', () => {
  const registrar = app.get(ServiceRegistrar, { strict: false });
  void registrar.drain().then(() => emit('drained', { state: registrar.status.state }));
});
await start();
emit('listening');
// Tells the parent process that this server listens, if it is a worker of api-cluster.
process.send?.('listening');
