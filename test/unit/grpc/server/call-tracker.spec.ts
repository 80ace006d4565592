import { status } from '@grpc/grpc-js';
import { beforeEach, expect, it } from 'vitest';
import { CallTracker } from '../../../../lib/grpc/server/call-tracker.js';

interface Sent {
  readonly code: number;
  readonly details: string;
}

/** A call as grpc-js gives it to an interceptor. */
class FakeCall {
  readonly sent: Sent[] = [];
  readonly messages: unknown[] = [];
  listener: Record<string, (given?: unknown) => void> = {};

  constructor(readonly stream: { readonly session?: unknown } | undefined = undefined) {}

  start(listener: FakeCall['listener']): void {
    this.listener = listener;
  }

  sendMessage(message: unknown): void {
    this.messages.push(message);
  }

  sendStatus(outcome: Sent): void {
    this.sent.push(outcome);
  }
}

let calls: CallTracker;
let heard: string[];

beforeEach(() => {
  calls = new CallTracker();
  heard = [];
});

const LISTENER = Object.fromEntries(
  ['onReceiveMetadata', 'onReceiveMessage', 'onReceiveHalfClose', 'onCancel'].map((name) => [
    name,
    (given?: unknown) => heard.push(`${name} ${String(given)}`),
  ]),
);

/** Starts a call, and returns it. */
function begin(path = '/user.User/Login', session?: unknown): FakeCall {
  const call = new FakeCall({ session });
  const tracked = calls.interceptor({ path } as never, call as never);
  expect(tracked).toBe(call);
  call.start(LISTENER);
  return call;
}

it('a call counts as under way from its start to its status', () => {
  const [one, other] = [begin(), begin()];
  expect(calls.size).toBe(2);
  one.sendStatus({ code: 0, details: 'done' });
  expect([calls.size, one.sent, other.sent]).toEqual([1, [{ code: 0, details: 'done' }], []]);
});

it('a call that its client cancels does not count as under way any more, and its listener gets onCancel', () => {
  const call = begin();
  call.listener['onCancel']?.();
  expect([calls.size, heard]).toEqual([0, ['onCancel undefined']]);
});

it('the listener of a call gets all other events, and the call stays under way', () => {
  const { listener } = begin();
  listener['onReceiveMetadata']?.('metadata');
  listener['onReceiveMessage']?.('message');
  listener['onReceiveHalfClose']?.();
  expect(heard).toEqual([
    'onReceiveMetadata metadata',
    'onReceiveMessage message',
    'onReceiveHalfClose undefined',
  ]);
  expect(calls.size).toBe(1);
});

it('a call sends no message after its status', () => {
  const call = begin();
  call.sendMessage('first');
  call.sendStatus({ code: 0, details: '' });
  call.sendMessage('late');
  expect(call.messages).toEqual(['first']);
});

it('end() ends every call with UNAVAILABLE, and returns their number', () => {
  const [one, other] = [begin(), begin('/grpc.health.v1.Health/Watch')];
  expect(calls.end('going')).toBe(2);
  for (const { sent } of [one, other]) {
    expect(sent).toEqual([{ code: status.UNAVAILABLE, details: 'going' }]);
  }
  expect([calls.size, calls.end('again')]).toEqual([0, 0]);
});

it('end() with a path ends the calls of that method only', () => {
  const [one, other] = [begin(), begin('/grpc.health.v1.Health/Watch')];
  expect(calls.end('going', '/grpc.health.v1.Health/Watch')).toBe(1);
  expect([one.sent.length, other.sent.length, calls.size]).toEqual([0, 1, 1]);
});

it('endOf() ends the calls of one connection only', () => {
  const [here, there] = [{}, {}];
  const [one, other] = [begin('/a/b', here), begin('/a/b', there)];
  calls.endOf(here, 'too old');
  expect(one.sent).toEqual([{ code: status.UNAVAILABLE, details: 'too old' }]);
  expect([other.sent, calls.size]).toEqual([[], 1]);
});
