/**
 * Streams that servers refuse before any handler has run, as a stopping server does with streams that reach
 * it after its GOAWAY.
 */
import { constants, createServer, type Http2Server } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fleet } from './fleet.js';

let fleet: Fleet;
const servers: Http2Server[] = [];
let refused = 0;

beforeEach(() => {
  fleet = new Fleet();
  refused = 0;
});
afterEach(async () => {
  await fleet.close();
  for (const server of servers.splice(0)) server.close();
});

/** The address of an HTTP/2 server that refuses every stream. */
async function refusing() {
  const server = createServer();
  servers.push(server);
  server.on('stream', (stream) => {
    refused++;
    stream.on('error', () => {});
    stream.close(constants.NGHTTP2_REFUSED_STREAM);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { address: `127.0.0.1:${address.port}`, metadata: null };
}

it('a call that four of five servers refuse is answered by the fifth', async () => {
  const [good] = await fleet.start({ a: {} });
  if (good === undefined) throw new Error('no server');
  const peers = await Promise.all(Array.from({ length: 4 }, refusing));
  fleet.list([good, ...peers]);
  const client = await fleet.client();
  expect(await client.spread(40)).toEqual({ a: 40 });
  expect(refused).toBeGreaterThanOrEqual(40);
});

it('a fleet that refuses every stream does not get five requests for each call', async () => {
  fleet.list(await Promise.all(Array.from({ length: 5 }, refusing)));
  const client = await fleet.client();
  await expect(client.call()).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining('refused'),
  });
  expect(refused).toBe(5);
  await client.spread(200);
  // gRPC itself sends each call twice, whatever error it gets.
  const before = refused;
  await client.spread(100);
  expect(refused - before).toBe(200);
});
