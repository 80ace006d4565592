/**
 * A Nest gRPC server that registers itself, for tests that need it in a process of its own.
 *
 * Settings: `ETCD_HOSTS`; `SERVICE` (api); `SERVER_ID`; `URL` (127.0.0.1:0); `TTL_SECONDS` (10);
 * `DELAY_MS` (0); `SERVICE_OPTIONS`, JSON with further fields of `service`, such as weight or metadata.
 * Events: `listening` once `listen()` has resolved, so the record is in etcd; `closed` after an `app.close()`.
 * SIGTERM and SIGINT end it through Nest's shutdown hooks, SIGUSR2 calls `app.close()` and leaves the rest to Node.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { DiscoveryModule } from 'nestjs-grpc-discovery';
import { emit, endWithTestProcess, jsonSetting, setting } from './app-events.js';
import { USER_CONTROLLER_OPTIONS, UserController } from './user.controller.js';

@Module({
  imports: [
    DiscoveryModule.forRoot({
      etcd: { hosts: setting('ETCD_HOSTS').split(',') },
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
      },
    },
  ],
})
class ApiModule {}

endWithTestProcess();
const app = await NestFactory.createMicroservice<MicroserviceOptions>(ApiModule, {
  transport: Transport.GRPC,
  options: {
    package: 'user',
    protoPath: setting('USER_PROTO'),
    url: setting('URL', '127.0.0.1:0'),
  },
});
app.enableShutdownHooks(['SIGTERM', 'SIGINT']);
process.once('SIGUSR2', () => {
  void app.close().then(() => emit('closed'));
});
await app.listen();
emit('listening');
