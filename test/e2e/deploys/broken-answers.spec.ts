/**
 * Servers that die or freeze while they answer: the client gets the headers, perhaps the message, and never
 * the status.
 */
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { InterceptingCall, type Interceptor, Metadata, status } from '@grpc/grpc-js';
import type { INestMicroservice } from '@nestjs/common';
import type { ClientGrpc } from '@nestjs/microservices';
import { type ClientDefinition, MemoryRegistry } from 'nestjs-grpc-discovery';
import { lastValueFrom, type Observable } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startUserClient, startUserServer, type UserClient } from '../../support/user-apps.js';

type Users = Readonly<
  Record<'find' | 'login', (request: object, ...more: unknown[]) => Observable<{ server: string }>>
>;

let registry: MemoryRegistry;
let good: INestMicroservice;
let dying: Http2Server;
let dyingAddress = '';
let client: UserClient;
/** How many calls the dying server has begun to answer. */
let begun = 0;
/** Whether the dying server only stops answering, while its connection stays open. */
let freezes = false;
const sockets = new Set<Socket>();

/** Answers with headers, every other time with a message too, and then cuts its connections or freezes. */
function breakOff(stream: ServerHttp2Stream): void {
  begun++;
  stream.on('error', () => {});
  stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' });
  if (begun % 2 === 0) stream.write(Buffer.of(0, 0, 0, 0, 0));
  if (freezes) return;
  // The connections are cut later, so that the headers are sent before.
  setImmediate(() => setImmediate(() => [...sockets].forEach((socket) => socket.destroy())));
}

async function start(definition: Partial<ClientDefinition> = {}): Promise<Users> {
  client = await startUserClient({ registry }, definition);
  return (client.client as ClientGrpc).getService<Users>('User');
}

beforeEach(async () => {
  begun = 0;
  freezes = false;
  registry = new MemoryRegistry();
  dying = createServer().on('stream', breakOff);
  dying.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
  });
  await new Promise<void>((resolve) => dying.listen(0, '127.0.0.1', resolve));
  dyingAddress = `127.0.0.1:${(dying.address() as AddressInfo).port}`;
  good = await startUserServer({ discovery: { registry, service: { name: 'api' } }, id: 'good' });
  const [known] = registry.endpoints('api');
  registry.setEndpoints('api', [dyingAddress, known?.address ?? '']);
});

afterEach(async () => {
  await client.close();
  await good.close();
  for (const socket of sockets) socket.destroy();
  dying.close();
});

const passing: Interceptor = (options, next) => new InterceptingCall(next(options));

async function failureOf(call: () => Observable<unknown>): Promise<{ readonly details: string }> {
  const [ended] = await Promise.allSettled([lastValueFrom(call())]);
  if (ended.status === 'fulfilled') throw new Error('the call did not fail');
  return ended.reason as { readonly details: string };
}

const hasMetBoth = (): boolean => begun >= 2;

/** Calls until the dying server has begun both kinds of answers; returns the outcome of every call. */
async function callAll(call: () => Observable<{ server: string }>) {
  const ended: PromiseSettledResult<{ server: string }>[] = [];
  do {
    const calls = Array.from({ length: 4 }, () => lastValueFrom(call()));
    ended.push(...(await Promise.allSettled(calls)));
  } while (!hasMetBoth());
  return ended;
}

it('an idempotent call whose server dies during the answer is answered by another server', async () => {
  const users = await start();
  const ended = await callAll(() => users.find({ name: 'a' }));
  expect(ended).toEqual(ended.map(() => expect.objectContaining({ status: 'fulfilled' })));
});

it('a hedged call is answered by another server if the first server freezes after it has sent headers', async () => {
  freezes = true;
  const users = await start({ retry: { hedgingDelayMs: 20 }, timeoutMs: 10_000 });
  const ended = await callAll(() => users.find({ name: 'a' }));
  expect(ended).toEqual(ended.map(() => expect.objectContaining({ status: 'fulfilled' })));
});

it('the error of a hedged call at its deadline says how many attempts there were', async () => {
  freezes = true;
  registry.setEndpoints('api', [dyingAddress]);
  const retry = { hedgingDelayMs: 10, maxAttempts: 3 };
  const users = await start({ retry, timeoutMs: 1_000, waitForReady: true });
  const { details } = await failureOf(() => users.find({ name: 'a' }));
  const peers = Array.from({ length: 3 }, () => dyingAddress).join(' ');
  expect(details).toContain(`attempts: 3 of 3 (${peers})`);
});

it('a call that is not idempotent fails if its server dies during the answer, and is not sent again', async () => {
  const users = await start();
  const ended = await callAll(() => users.login({ name: 'a' }));
  const failed = ended.flatMap((one) =>
    one.status === 'rejected' ? [(one.reason as { code: number }).code] : [],
  );
  expect(failed).toEqual(Array.from({ length: begun }, () => status.UNAVAILABLE));
});

it('an idempotent call of a client without retries fails if its server dies during the answer', async () => {
  const users = await start({ retry: false });
  const ended = await callAll(() => users.find({ name: 'a' }));
  expect(ended.filter((one) => one.status === 'rejected')).toHaveLength(begun);
});

it('if all servers die during their answers, a call fails after maxAttempts attempts', async () => {
  registry.setEndpoints('api', [dyingAddress]);
  const users = await start({ retry: { maxAttempts: 3 }, waitForReady: true });
  await expect(lastValueFrom(users.find({ name: 'a' }))).rejects.toMatchObject({
    code: status.UNAVAILABLE,
  });
  expect(begun).toBe(3);
});

it('a call with interceptors of its own is retried as often as any other call', async () => {
  registry.setEndpoints('api', [dyingAddress]);
  const users = await start({ retry: { maxAttempts: 3 }, waitForReady: true });
  const options = { interceptors: [passing] };
  await expect(
    lastValueFrom(users.find({ name: 'a' }, new Metadata(), options)),
  ).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(begun).toBe(3);
});

it('a call whose attempts all fail has the headers of the last attempt', async () => {
  registry.setEndpoints('api', [dyingAddress]);
  const users = await start({ retry: { maxAttempts: 3 }, waitForReady: true });
  let headers = 0;
  const onReceiveMetadata = (received: Metadata, next: (received: Metadata) => void): void => {
    headers++;
    next(received);
  };
  const counting: Interceptor = (options, next) =>
    new InterceptingCall(next(options), {
      start: (metadata, _, go) => go(metadata, { onReceiveMetadata }),
    });
  await failureOf(() => users.find({ name: 'a' }, new Metadata(), { interceptors: [counting] }));
  expect(begun).toBe(3);
  expect(headers).toBe(1);
});
