/** The bytes and reports of one health call, on a stand-in for the channel. */
import { type ChannelInterface, Metadata, status } from '@grpc/grpc-js';
import { beforeEach, expect, it } from 'vitest';
import { startHealthCall } from '../../../../lib/grpc/connection/health-call.js';

interface Receiver {
  onReceiveMessage(message: Buffer): void;
  onReceiveStatus(ended: { code: status; details: string; metadata: Metadata }): void;
}

let paths: string[];
let sent: Buffer[];
let receiver: Receiver;
let cancelled: number;
let heard: unknown[];

beforeEach(() => {
  paths = [];
  sent = [];
  cancelled = 0;
  heard = [];
});

/** Starts a health call on a channel that records what it sends. */
function start(service: string): () => void {
  const call = {
    start: (_metadata: Metadata, listener: Receiver) => (receiver = listener),
    sendMessageWithContext: (_context: unknown, message: Buffer) => sent.push(message),
    startRead: () => {},
    halfClose: () => {},
    cancelWithStatus: () => cancelled++,
    getPeer: () => 'peer',
    getAuthContext: () => null,
  };
  const channel = {
    createCall: (path: string) => {
      paths.push(path);
      return call;
    },
  };
  return startHealthCall(channel as unknown as ChannelInterface, service, {
    onAnswer: (serving) => heard.push(serving),
    onEnd: (code, details) => heard.push([code, details]),
  });
}

const answer = (...bytes: number[]): void => receiver.onReceiveMessage(Buffer.from(bytes));
const end = (code: status, details: string): void =>
  receiver.onReceiveStatus({ code, details, metadata: new Metadata() });
/** Waits until the stream of the call has reported what it got. */
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

it.each([
  ['', [0x0a, 0]],
  ['api', [0x0a, 3, ...Buffer.from('api')]],
  ['a'.repeat(127), [0x0a, 0x7f, ...Buffer.from('a'.repeat(127))]],
  ['a'.repeat(128), [0x0a, 0x80, 0x01, ...Buffer.from('a'.repeat(128))]],
  ['a'.repeat(300), [0x0a, 0xac, 0x02, ...Buffer.from('a'.repeat(300))]],
])('a health call asks for the service "%s" in the format of protobuf', (service, bytes) => {
  start(service);
  expect(paths).toEqual(['/grpc.health.v1.Health/Watch']);
  expect(sent.map((message) => [...message])).toEqual([bytes]);
});

it('a health call reports each answer; an empty one is UNKNOWN, which protobuf leaves out', async () => {
  start('api');
  answer(0x08, 1);
  answer(0x08, 2);
  answer();
  answer(0x08);
  answer(0x10, 1);
  await settled();
  expect(heard).toEqual([1, 2, 0, 0, 0]);
});

it('a health call reports its end with the name of the status', async () => {
  start('api');
  end(status.UNAVAILABLE, 'gone');
  await settled();
  expect(heard).toEqual([['UNAVAILABLE', 'gone']]);
});

it('a health call that the caller has ended is cancelled, and reports nothing more', async () => {
  const stop = start('api');
  stop();
  expect(cancelled).toBe(1);
  answer(0x08, 1);
  end(status.CANCELLED, '');
  await settled();
  expect(heard).toEqual([]);
});
