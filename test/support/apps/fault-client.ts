/**
 * A Nest client under constant load, for the fault matrix: unary calls at a fixed rate, however earlier calls
 * ended, and one long stream that is opened again when it ends.
 *
 * Settings: `ETCD_HOSTS`; `ETCD_OPTIONS`, JSON with further fields of `etcd`; `ROOT_OPTIONS`, JSON with
 * further options of `forRoot`; `SERVICE` (api); `RATE` (200 calls/s); `TIMEOUT_MS` (5000).
 *
 * Events: `tick` every 100 ms with `calls`, `failed`, `byServer`, `byCode` since the start, `lastError`;
 * `lateFailures`, how many failed calls began after the first failed call had ended; `stream` (which server
 * serves it, how often it broke and why); `list`, `held`, `away`, `savedAt` as the directory has them;
 * `heapMb`, `handles`, `sockets`. `done` at SIGTERM. SIGHUP runs a garbage collection, if node was started
 * with `--expose-gc`.
 */
import 'reflect-metadata';
import { Metadata, status } from '@grpc/grpc-js';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ClientGrpc } from '@nestjs/microservices';
import { DirectoryPool, DiscoveryModule, getGrpcClientToken } from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';
import { emit, endWithTestProcess, jsonSetting, resources, setting } from './app-events.js';
import type { UserRequest, UserResponse } from './user.controller.js';

interface UserClient {
  login(
    request: UserRequest,
    metadata: Metadata,
    options: { readonly deadline: number },
  ): Observable<UserResponse>;
  watch(request: UserRequest): Observable<UserResponse>;
}

const service = setting('SERVICE', 'api');
const rate = Number(setting('RATE', '200'));
const timeoutMs = Number(setting('TIMEOUT_MS', '5000'));
const request = { name: '张三', password: '111111' };

@Module({
  imports: [
    DiscoveryModule.forRoot({
      etcd: { hosts: setting('ETCD_HOSTS').split(','), ...jsonSetting<object>('ETCD_OPTIONS') },
      ...jsonSetting<object>('ROOT_OPTIONS'),
    }),
    DiscoveryModule.forFeature([
      { name: 'users', service, package: 'user', protoPath: setting('USER_PROTO') },
    ]),
  ],
})
class FaultClientModule {}

endWithTestProcess();
const app = await NestFactory.createApplicationContext(FaultClientModule);
const users = app
  .get<ClientGrpc>(getGrpcClientToken('users'), { strict: false })
  .getService<UserClient>('User');
const pool = app.get(DirectoryPool, { strict: false });

let calls = 0;
let failed = 0;
/** How many failed calls began after the first failed call had ended. */
let lateFailures = 0;
let firstFailureMs = Infinity;
let lastError = '';
let stopping = false;
const byServer: Record<string, number> = {};
const byCode: Record<string, number> = {};
const stream = { server: '', broken: 0, why: '' };

async function call(): Promise<void> {
  const begunMs = performance.now();
  try {
    const options = { deadline: Date.now() + timeoutMs };
    const { server } = await firstValueFrom(users.login(request, new Metadata(), options));
    byServer[server] = (byServer[server] ?? 0) + 1;
  } catch (error) {
    const { code, message } = error as { code?: number; message?: string };
    const name = code === undefined ? 'none' : (status[code] ?? String(code));
    byCode[name] = (byCode[name] ?? 0) + 1;
    lastError = message ?? '';
    failed += 1;
    if (begunMs > firstFailureMs) lateFailures += 1;
    firstFailureMs = Math.min(firstFailureMs, performance.now());
  } finally {
    calls += 1;
  }
}

function openStream(): void {
  if (stopping) return;
  const again = (error?: unknown): void => {
    if (stream.server !== '') stream.broken += 1;
    stream.server = '';
    stream.why = error instanceof Error ? error.message : 'it ended';
    setTimeout(openStream, 100).unref();
  };
  users.watch(request).subscribe({
    next: ({ server }) => (stream.server = server),
    error: again,
    complete: () => again(),
  });
}

function print(event: string): void {
  const state = pool.directories.get(service)?.state;
  emit(event, {
    calls,
    failed,
    lateFailures,
    byServer,
    byCode,
    lastError,
    stream,
    list: state?.endpoints?.map(({ address }) => address).sort() ?? [],
    held: state?.held ?? [],
    away: state?.error !== undefined,
    savedAt: state?.savedAt,
    ...resources(),
  });
}

let issued = 0;
const started = performance.now();
// Sends all calls that are due: a late timer must not lower the rate.
const load = setInterval(() => {
  const due = Math.min(((performance.now() - started) / 1000) * rate, issued + rate);
  for (; issued < due; issued += 1) void call();
}, 5);
const ticks = setInterval(() => print('tick'), 100);
openStream();
process.on('SIGHUP', () => globalThis.gc?.());
process.once('SIGTERM', () => {
  stopping = true;
  clearInterval(load);
  clearInterval(ticks);
  print('done');
  void app.close();
});
