/**
 * A Nest gRPC server for the fault matrix.
 *
 * Settings: `ETCD_HOSTS`; `ETCD_OPTIONS`, JSON with further fields of `etcd`; `SERVICE` (api); `SERVER_ID`;
 * `TTL_SECONDS` (10). Events: `listening` once `listen()` has resolved; `status` with every change of the
 * registrar's `state`; `unblocked` after SIGHUP, which blocks the event loop for twice the time to live;
 * `resources` with `heapMb`, `handles`, `sockets` after SIGUSR2; if node was started with `--expose-gc`, a
 * garbage collection comes first. SIGTERM ends the server through Nest's shutdown hooks.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { DiscoveryModule, ServiceRegistrar } from 'nestjs-grpc-discovery';
import { distinctUntilChanged, map } from 'rxjs';
import { emit, endWithTestProcess, jsonSetting, resources, setting } from './app-events.js';
import { USER_CONTROLLER_OPTIONS, UserController } from './user.controller.js';

const ttlSeconds = Number(setting('TTL_SECONDS', '10'));

@Module({
  imports: [
    DiscoveryModule.forRoot({
      etcd: { hosts: setting('ETCD_HOSTS').split(','), ...jsonSetting<object>('ETCD_OPTIONS') },
      service: { name: setting('SERVICE', 'api'), ttlSeconds },
    }),
  ],
  controllers: [UserController],
  providers: [
    { provide: USER_CONTROLLER_OPTIONS, useValue: { id: setting('SERVER_ID'), delayMs: 0 } },
  ],
})
class FaultServerModule {}

endWithTestProcess();
const app = await NestFactory.createMicroservice<MicroserviceOptions>(FaultServerModule, {
  transport: Transport.GRPC,
  options: { package: 'user', protoPath: setting('USER_PROTO'), url: '127.0.0.1:0' },
});
app.enableShutdownHooks(['SIGTERM', 'SIGINT']);
app
  .get(ServiceRegistrar, { strict: false })
  .status$.pipe(
    map(({ state }) => state),
    distinctUntilChanged(),
  )
  .subscribe((state) => emit('status', { state }));
process.on('SIGHUP', () => {
  // Blocks the event loop without using the processor.
  const cell = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(cell, 0, 0, 2_000 * ttlSeconds);
  emit('unblocked');
});
process.on('SIGUSR2', () => {
  globalThis.gc?.();
  emit('resources', resources());
});
await app.listen();
emit('listening');
