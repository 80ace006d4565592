/** What a client receives of a stream that its server ends at drainTimeoutMs. */
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { CallTracker } from '../../../lib/grpc/server/call-tracker.js';
import { shutDownGracefully } from '../../../lib/grpc/server/graceful-shutdown.js';

type Stream = ServerWritableStream<Buffer, Buffer>;

const PATH = '/test.Streams/Watch';
const same = (bytes: Buffer) => bytes;
const MESSAGE = Buffer.from('message');
const NOW = { timeoutMs: 0, force: AbortSignal.abort() };

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/**
 * Opens a stream that has been answered once; returns both of its ends and a function that ends its server.
 */
async function openStream() {
  const calls = new CallTracker();
  const server = new Server({ interceptors: [calls.interceptor] });
  let accept: ((stream: Stream) => void) | undefined;
  const accepted = new Promise<Stream>((resolve) => (accept = resolve));
  server.addService(
    {
      Watch: {
        path: PATH,
        requestStream: false,
        responseStream: true,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    },
    { Watch: (stream: Stream) => accept?.(stream) },
  );
  const port = await new Promise<number>((resolve, reject) => {
    const insecure = ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', insecure, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  closers.push(() => server.forceShutdown());
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  closers.push(() => client.close());
  const received = client.makeServerStreamRequest(PATH, same, same, MESSAGE);
  const sent = await accepted;
  sent.write(MESSAGE);
  await once(received, 'data');
  const error = once(received, 'error').then(([reason]) => reason as ServiceError);
  return { sent, received, error, shutDown: () => shutDownGracefully({ server, calls, ...NOW }) };
}

it('a client gets the status of a stream that the server ends, even if the handler still writes messages', async () => {
  const { sent, error, shutDown } = await openStream();
  const down = shutDown();
  for (let count = 0; count < 1_000; count += 1) sent.write(MESSAGE);
  await down;
  expect(await error).toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining('shutting down'),
  });
});

it('a stream that the server ends fails with UNAVAILABLE, even if the client does not read and so gets no status', async () => {
  const { sent, received, error, shutDown } = await openStream();
  received.pause();
  for (let count = 0; count < 20; count += 1) sent.write(Buffer.alloc(60_000));
  await shutDown();
  received.resume();
  expect(await error).toMatchObject({ code: status.UNAVAILABLE });
});
