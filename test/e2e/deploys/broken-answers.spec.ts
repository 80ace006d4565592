/** Servers that die while they answer: the headers are there, perhaps the message too, and the status never comes. */
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
/** Calls that the dying server has begun to answer. */
let begun = 0;
const sockets = new Set<Socket>();

/** Answers with headers, and every other time with a message, and is gone. */
function breakOff(stream: ServerHttp2Stream): void {
  begun++;
  stream.on('error', () => {});
  stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' });
  if (begun % 2 === 0) stream.write(Buffer.of(0, 0, 0, 0, 0));
  // Later: the headers have to be on their way.
  setImmediate(() => setImmediate(() => [...sockets].forEach((socket) => socket.destroy())));
}

async function start(definition: Partial<ClientDefinition> = {}): Promise<Users> {
  client = await startUserClient({ registry }, definition);
  return (client.client as ClientGrpc).getService<Users>('User');
}

beforeEach(async () => {
  begun = 0;
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
  dying.close();
});

const passing: Interceptor = (options, next) => new InterceptingCall(next(options));

const hasMetBoth = (): boolean => begun >= 2;

/** Calls until the dying server has begun both kinds of answers; how each of them ended. */
async function callAll(call: () => Observable<{ server: string }>) {
  const ended: PromiseSettledResult<{ server: string }>[] = [];
  do {
    const calls = Array.from({ length: 4 }, () => lastValueFrom(call()));
    ended.push(...(await Promise.allSettled(calls)));
  } while (!hasMetBoth());
  return ended;
}

it('an idempotent call is answered by another server', async () => {
  const users = await start();
  const ended = await callAll(() => users.find({ name: 'a' }));
  expect(ended).toEqual(ended.map(() => expect.objectContaining({ status: 'fulfilled' })));
});

it('any other call fails, and is not sent again', async () => {
  const users = await start();
  const ended = await callAll(() => users.login({ name: 'a' }));
  const failed = ended.flatMap((one) =>
    one.status === 'rejected' ? [(one.reason as { code: number }).code] : [],
  );
  expect(failed).toEqual(Array.from({ length: begun }, () => status.UNAVAILABLE));
});

it('without retries an idempotent call fails too', async () => {
  const users = await start({ retry: false });
  const ended = await callAll(() => users.find({ name: 'a' }));
  expect(ended.filter((one) => one.status === 'rejected')).toHaveLength(begun);
});

it('where all servers die that way the call fails after it was sent twice', async () => {
  registry.setEndpoints('api', [dyingAddress]);
  const users = await start();
  await expect(lastValueFrom(users.find({ name: 'a' }))).rejects.toMatchObject({
    code: status.UNAVAILABLE,
  });
  expect(begun).toBe(2);
});

it('a call with interceptors of its own is sent twice too', async () => {
  registry.setEndpoints('api', [dyingAddress]);
  const users = await start();
  const options = { interceptors: [passing] };
  await expect(
    lastValueFrom(users.find({ name: 'a' }, new Metadata(), options)),
  ).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(begun).toBe(2);
});
