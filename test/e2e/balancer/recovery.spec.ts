/** What the balancer does when servers, connections and lists change under calls. */
import { createServer, type Server } from 'node:net';
import { status } from '@grpc/grpc-js';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fleet, TestServer } from './fleet.js';

let fleet: Fleet;
let silent: Server | undefined;

beforeEach(() => {
  fleet = new Fleet();
});
afterEach(async () => {
  await fleet.close();
  silent?.close();
  silent = undefined;
});

async function single(): Promise<TestServer> {
  const [server] = await fleet.start({ a: {} });
  if (server === undefined) throw new Error('no server');
  return server;
}

/**
 * A port that accepts connections and never answers; it counts those it has accepted and those still open.
 */
async function silentPeer() {
  const open = new Set<unknown>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
    socket.resume();
  });
  silent = server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    address: `127.0.0.1:${address.port}`,
    accepted: () => accepted,
    open: () => open.size,
  };
}

it('calls to a peer that accepts connections and never answers fail after the connect timeout, and the sockets to that peer are closed', async () => {
  const peer = await silentPeer();
  fleet.list([{ address: peer.address, metadata: null }]);
  const client = await fleet.client();
  await expect(client.call()).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringMatching(/no HTTP\/2 answer from 127\.0\.0\.1:\d+ within 5000 ms/),
  });
  // The client tries the peer again by itself, and calls do not wait for that.
  await expect.poll(peer.accepted).toBeGreaterThan(1);
  expect(await client.spread(1)).toEqual({ UNAVAILABLE: 1 });
  expect(peer.open()).toBeLessThanOrEqual(1);
});

it('a peer that accepts connections and never answers delays no call while another server is ready', async () => {
  const peer = await silentPeer();
  const a = await single();
  fleet.list([a, { address: peer.address, metadata: null }]);
  const client = await fleet.client();
  expect(await client.spread(20)).toEqual({ a: 20 });
});

it('a client connects at once to an address that is registered again, whatever the backoff of that address', async () => {
  const a = await single();
  fleet.list([{ ...a.endpoint, incarnation: '1' }]);
  // Only a reset ends this backoff within the test.
  const client = await fleet.client({
    channelOptions: { 'grpc.initial_reconnect_backoff_ms': 600_000 },
  });
  expect(await client.call()).toBe('a');
  const port = Number(a.address.split(':')[1]);
  a.stop();
  await client.until((answer) => answer === 'UNAVAILABLE');
  const again = await new TestServer('again', {}).start(port);
  expect(await client.spread(3)).toEqual({ UNAVAILABLE: 3 });
  fleet.list([{ ...again.endpoint, incarnation: '2' }]);
  await client.until((answer) => answer === 'again');
  again.stop();
});

it('calls and streams under way on a removed endpoint finish, and new calls go to another server', async () => {
  const a = await single();
  const client = await fleet.client();
  expect(await client.call()).toBe('a');
  a.held = [];
  const call = client.call();
  await expect.poll(() => a.held?.length).toBe(1);
  const b = await new TestServer('b', {}).start();
  fleet.list([b]);
  await client.until((answer) => answer === 'b');
  expect(await client.spread(10)).toEqual({ b: 10 });
  a.held?.[0]?.();
  expect(await call).toBe('a');
  a.stop();
});

it('statistics survive updates: a busy server still counts as busy after the list has changed', async () => {
  const [a, b] = await fleet.start({ a: {}, b: {} });
  if (a === undefined || b === undefined) throw new Error('no servers');
  const client = await fleet.client({ loadBalancing: 'least_request' });
  await client.until((_, answers) => answers.size === 2);
  // The open stream keeps one of the servers busy.
  const stream = client.users.watch({ name: 'x', password: '' });
  const { server: busy } = await new Promise<{ server: string }>((resolve) => {
    stream.subscribe({ next: resolve, error: () => {} });
  });
  const idle = busy === 'a' ? 'b' : 'a';
  const c = await new TestServer('c', {}).start();
  for (const list of [
    [a, b, c],
    [b, a],
    [a, b],
    [c, b, a],
    [a, b],
  ]) {
    fleet.list(list);
    expect((await client.spread(20))[busy] ?? 0).toBe(0);
  }
  await client.until((answer) => answer === idle);
});

it('when servers die while others live, only the calls under way on the dead servers fail', async () => {
  const servers = await fleet.start({ a: {}, b: {}, c: {}, d: {} });
  const client = await fleet.client();
  await client.until((_, answers) => answers.size === 4);
  for (const server of servers.slice(0, 3)) {
    server.stop();
    const counts = await client.spread(50);
    expect(counts['UNAVAILABLE'] ?? 0).toBe(0);
  }
  expect(await client.spread(10)).toEqual({ d: 10 });
});

it('500 replacements under load of servers under load fail no call, and leave no connection behind', async () => {
  const records = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`s${at}`, {}]));
  const servers = await fleet.start(records);
  fleet.list(servers.slice(0, 5));
  const client = await fleet.client();
  await client.until((_, answers) => answers.size === 5);
  const failed: unknown[] = [];
  for (let step = 1; step <= 500; step++) {
    const window = Array.from({ length: 5 }, (_, at) => servers[(step + at) % servers.length]!);
    fleet.list(window);
    const answers = await client.burst(4);
    if (Object.keys(answers).some((answer) => !(answer in records))) failed.push(answers);
  }
  expect(failed).toEqual([]);
  fleet.list(servers.slice(0, 1));
  await client.until((answer) => answer === 's0');
  // grpc-js itself closes unused connections every ten seconds.
  const open = () => servers.reduce((sum, { connections }) => sum + connections.size, 0);
  expect(open()).toBeGreaterThan(1);
  await expect.poll(open, { interval: 200 }).toBe(1);
  expect(await firstValueFrom(client.users.login({ name: 'x', password: '' }))).toMatchObject({
    server: 's0',
  });
}, 240_000);

it.each([
  [2 + 19, 'if 4 tokens throttle retries: one retry in all', { maxTokens: 4, tokenRatio: 1 }],
  [4 * 20, 'without throttling: four attempts per call', false],
] as const)(
  '20 calls to a service that is down make %i attempts %s',
  async (expected, _, throttling) => {
    const server = await single();
    const retry = { methods: 'all', maxAttempts: 4, initialBackoffMs: 1, maxBackoffMs: 1 } as const;
    const client = await fleet.client({ retry: { ...retry, throttling } });
    server.code = status.UNAVAILABLE;
    expect(await client.spread(20)).toEqual({ UNAVAILABLE: 20 });
    expect(server.calls).toBe(expected);
  },
);

it('retries that were throttled resume after calls were answered', async () => {
  const server = await single();
  const throttling = { maxTokens: 4, tokenRatio: 1 };
  const client = await fleet.client({ retry: { methods: 'all', initialBackoffMs: 1, throttling } });
  server.code = status.UNAVAILABLE;
  await client.spread(20);
  server.code = status.OK;
  await client.spread(4);
  server.calls = 0;
  server.code = status.UNAVAILABLE;
  await client.spread(1);
  expect(server.calls).toBe(2);
});
