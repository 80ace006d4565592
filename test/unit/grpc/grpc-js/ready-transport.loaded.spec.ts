/** What is done to a connection of the grpc-js that is loaded: here one in memory, without a socket. */
import { performServerHandshake } from 'node:http2';
import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import { Http2SubchannelConnector } from '@grpc/grpc-js/build/src/transport.js';
import { expect, it } from 'vitest';
import type { Subchannel } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { prepareTransport } from '../../../../lib/grpc/grpc-js/ready-transport.js';

interface Call {
  startRead(): void;
  halfClose(): void;
}

/** The transport of grpc-js, with what the library reads or replaces of it. */
interface Transport {
  readonly session: { readonly closed: boolean; destroy(): void };
  readonly messagesReceived: number;
  maybeStartKeepalivePingTimer(): void;
  createCall(...parts: readonly unknown[]): Call;
}

/** Connects grpc-js to a server that answers each call with one empty message. */
async function connected(): Promise<Transport> {
  const [client, server] = duplexPair();
  performServerHandshake(server).on('stream', (stream) => {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.alloc(5));
  });
  const connector = new Http2SubchannelConnector({ scheme: 'dns', path: 'api' });
  const inner = connector as unknown as { createSession(...args: object[]): Promise<Transport> };
  const address = { host: '127.0.0.1', port: 1 };
  return inner.createSession({ socket: client, secure: false }, address, {});
}

async function prepared(transport: Transport): Promise<void> {
  prepareTransport({ getRealSubchannel: () => ({ transport }) } as unknown as Subchannel, true);
  await Promise.resolve();
}

it('a connection has what the library reads of it, and gets the methods that it replaces', async () => {
  const transport = await connected();
  expect(transport.session.closed).toBe(false);
  expect(transport.maybeStartKeepalivePingTimer).toBeTypeOf('function');
  const before = Object.keys(transport);
  await prepared(transport);
  expect(Object.keys(transport).filter((name) => !before.includes(name))).toEqual([
    'canSendPing',
    'addActiveCall',
    'maybeSendPing',
    'removeActiveCall',
  ]);
  transport.session.destroy();
});

it('a connection counts the message of an answer, and an ended call releases its listener', async () => {
  const transport = await connected();
  await prepared(transport);
  expect(transport.messagesReceived).toBe(0);
  let onEnd: (() => void) | undefined;
  const ended = new Promise<void>((resolve) => {
    onEnd = resolve;
  });
  const listener = {
    onReceiveMetadata() {},
    onReceiveMessage: () => call.startRead(),
    onReceiveStatus: () => onEnd?.(),
  };
  const call = transport.createCall(new Metadata(), 'api', '/user.User/Find', listener, {}, 1);
  expect(Reflect.get(call, 'listener')).toBe(listener);
  call.halfClose();
  call.startRead();
  await ended;
  await turn();
  expect(transport.messagesReceived).toBe(1);
  expect(Reflect.get(call, 'listener')).not.toBe(listener);
  transport.session.destroy();
});
