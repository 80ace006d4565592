/**
 * A Nest gateway that calls `User` through an injected client, for tests that need it in a process of its
 * own. Its events are the same as those of the Go client, `interop client`, so that one test can check both.
 *
 * Settings: `ETCD_HOSTS`; `SERVICE` (api); `METHOD` (login, find or watch); `HOLD_MS` (how long a call takes
 * at the server); `CALLS` (1); `CONCURRENCY` (1); `FOREVER` (1: call until SIGTERM); `INTERVAL_MS` (5: pause
 * between two calls with FOREVER; 0: none); `POLICY` (round_robin); `CLIENT_OPTIONS`, JSON with further
 * fields of the client's definition; `WARM` (0: how many servers must have answered a login before the
 * counting starts); `TIMEOUT_MS` (5000).
 *
 * Events: `ready` after the bootstrap, `warm`, with FOREVER `tick` every 100 ms, `done`. All but the first
 * have `calls`, `failed`, `byServer`, `byCode`, `messages` (of the first failures), and two times of the
 * system clock: `lastFailureMs`, and `recoveredMs`, the last answer that followed a failure. They also have
 * `lateFailures`: how many failed calls began after the first failed call had ended. If a server dies, these
 * calls were not yet on their way to it when its death was noticed.
 */
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Metadata, status } from '@grpc/grpc-js';
import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ClientGrpc } from '@nestjs/microservices';
import { type ClientDefinition, DiscoveryModule, InjectGrpcClient } from 'nestjs-grpc-discovery';
import { lastValueFrom, type Observable } from 'rxjs';
import { emit, endWithTestProcess, jsonSetting, setting } from './app-events.js';
import type { UserRequest, UserResponse } from './user.controller.js';

type Method = 'login' | 'find' | 'watch';

type UserClient = {
  readonly [method in Method]: (
    request: UserRequest,
    metadata: Metadata,
    options: { readonly deadline: number },
  ) => Observable<UserResponse>;
};

/** How many messages of failures a tally keeps. */
const MESSAGES = 5;

/** Counts the outcomes of the calls of this client. */
class Tally {
  private calls = 0;
  private failed = 0;
  private readonly byServer: Record<string, number> = {};
  private readonly byCode: Record<string, number> = {};
  private readonly messages: string[] = [];
  private isFailing = false;
  private lastFailureMs: number | undefined;
  private recoveredMs: number | undefined;
  private firstFailureMs = Infinity;
  private lateFailures = 0;

  get servers(): number {
    return Object.keys(this.byServer).length;
  }

  answered(server: string): void {
    this.calls += 1;
    this.byServer[server] = (this.byServer[server] ?? 0) + 1;
    if (this.isFailing) this.recoveredMs = Date.now();
    this.isFailing = false;
  }

  erred(error: unknown, begunMs: number): void {
    if (begunMs > this.firstFailureMs) this.lateFailures += 1;
    this.firstFailureMs = Math.min(this.firstFailureMs, performance.now());
    const code = (error as { code?: number }).code;
    const name = code === undefined ? String(error) : (status[code] ?? String(code));
    this.calls += 1;
    this.failed += 1;
    this.byCode[name] = (this.byCode[name] ?? 0) + 1;
    if (this.messages.length < MESSAGES) this.messages.push(String(error));
    this.isFailing = true;
    this.lastFailureMs = Date.now();
  }

  print(event: string): void {
    const { calls, failed, byServer, byCode, messages } = this;
    const { lastFailureMs, recoveredMs, lateFailures } = this;
    const counts = { calls, failed, byServer, byCode, messages };
    emit(event, { ...counts, lastFailureMs, recoveredMs, lateFailures });
  }
}

@Injectable()
class Gateway implements OnModuleInit {
  private users: UserClient | undefined;

  constructor(@InjectGrpcClient('users') private readonly client: ClientGrpc) {}

  onModuleInit(): void {
    this.users = this.client.getService<UserClient>('User');
  }

  async call(into: Tally, method: Method, holdMs: number): Promise<void> {
    if (this.users === undefined) throw new Error('the gateway is not initialised');
    const request = { name: '张三', password: '111111', holdMs };
    const options = { deadline: Date.now() + timeoutMs };
    const begunMs = performance.now();
    try {
      const answers$ = this.users[method](request, new Metadata(), options);
      const { server } = await lastValueFrom(answers$);
      into.answered(server);
    } catch (error) {
      into.erred(error, begunMs);
    }
  }
}

@Module({
  imports: [
    DiscoveryModule.forRoot({ etcd: { hosts: setting('ETCD_HOSTS').split(',') } }),
    DiscoveryModule.forFeature([
      {
        name: 'users',
        service: setting('SERVICE', 'api'),
        package: 'user',
        protoPath: setting('USER_PROTO'),
        loadBalancing: setting('POLICY', 'round_robin'),
        ...jsonSetting<Partial<ClientDefinition>>('CLIENT_OPTIONS'),
      },
    ]),
  ],
  providers: [Gateway],
})
class GatewayModule {}

const forever = setting('FOREVER', '0') === '1';
const calls = Number(setting('CALLS', '1'));
const timeoutMs = Number(setting('TIMEOUT_MS', '5000'));
const intervalMs = Number(setting('INTERVAL_MS', '5'));
const method = setting('METHOD', 'login') as Method;
const holdMs = Number(setting('HOLD_MS', '0'));

// The signal ends only the loops: calls in flight finish, and the application closes in order below.
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
endWithTestProcess();

const app = await NestFactory.createApplicationContext(GatewayModule);
const gateway = app.get(Gateway);
emit('ready');

const warm = Number(setting('WARM', '0'));
if (warm > 0) {
  const warming = new Tally();
  while (!stop.signal.aborted && warming.servers < warm) {
    await gateway.call(warming, 'login', 0);
    await pause(1);
  }
  warming.print('warm');
}

const counted = new Tally();
const ticks = forever ? setInterval(() => counted.print('tick'), 100) : undefined;
const limit = forever ? Infinity : calls;
let issued = 0;
const worker = async (): Promise<void> => {
  while (!stop.signal.aborted && issued < limit) {
    issued += 1;
    await gateway.call(counted, method, holdMs);
    if (forever && intervalMs > 0) await pause(intervalMs);
  }
};
await Promise.all(Array.from({ length: Number(setting('CONCURRENCY', '1')) }, worker));
clearInterval(ticks);
counted.print('done');
await app.close();
emit('closed');
