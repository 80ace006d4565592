/** What gRPC gets of an attempt whose answer is held back until it is whole. */
import { connectivityState, Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import type { Subchannel } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { KEPT_HEADERS, withWholeAnswer } from '../../../../lib/grpc/grpc-js/whole-answer.js';

type Listener = Parameters<ReturnType<Subchannel['getRealSubchannel']>['createCall']>[3];

/** Makes a call on a connection; returns the listener that the connection reports to, and what gRPC got. */
function attempt(retried: readonly status[] = [status.UNAVAILABLE]) {
  let server: Listener | undefined;
  const made: unknown[] = [];
  const connection = {
    getConnectivityState: () => connectivityState.READY,
    getAddress: () => '10.0.0.1:1',
    getCallCredentials: () => 'the credentials',
    getChannelzRef: () => 'the reference',
    getRealSubchannel: () => ({
      createCall(...[metadata, host, method, listener, callNumber]: readonly unknown[]) {
        server = listener as Listener;
        made.push(metadata, host, method, callNumber);
        return 'the call';
      },
    }),
  } as unknown as Subchannel;
  const heard: unknown[] = [];
  const kept: unknown[] = [];
  const subchannel = withWholeAnswer(connection, new Set(retried));
  const metadata = new Metadata();
  const call = subchannel.getRealSubchannel().createCall(
    metadata,
    'api',
    '/user.User/Find',
    {
      onReceiveMetadata: () => heard.push('headers'),
      onReceiveMessage: (message: unknown) => heard.push(message),
      onReceiveStatus(last) {
        heard.push(status[last.code]);
        kept.push(Reflect.get(last, KEPT_HEADERS));
      },
    },
    7,
  );
  if (server === undefined) throw new Error('no call was made');
  return { subchannel, metadata, call, made, server, heard, kept };
}

const ended = (code: status): StatusObject => ({ code, details: '', metadata: new Metadata() });

it('the wrapped subchannel makes the attempt on the picked one', () => {
  const { subchannel, metadata, call, made } = attempt();
  expect(call).toBe('the call');
  expect(made).toEqual([metadata, 'api', '/user.User/Find', 7]);
  expect(subchannel.getConnectivityState()).toBe(connectivityState.READY);
  expect(subchannel.getAddress()).toBe('10.0.0.1:1');
  expect(subchannel.getCallCredentials()).toBe('the credentials');
  expect(subchannel.getChannelzRef()).toBe('the reference');
});

it('gRPC gets headers and message together with the status, and not before', () => {
  const { server, heard } = attempt();
  server.onReceiveMetadata(new Metadata());
  server.onReceiveMessage('message');
  expect(heard).toEqual([]);
  server.onReceiveStatus(ended(status.OK));
  expect(heard).toEqual(['headers', 'message', 'OK']);
});

it('gRPC gets only the status of an answer that broke off, so that it may try again', () => {
  const { server, heard, kept } = attempt();
  const headers = new Metadata();
  server.onReceiveMetadata(headers);
  server.onReceiveMessage('message');
  server.onReceiveStatus(ended(status.UNAVAILABLE));
  expect(heard).toEqual(['UNAVAILABLE']);
  // The status carries the headers in case no other attempt follows.
  expect(kept).toEqual([headers]);
});

it('gRPC gets the headers of a failure that is not tried again', () => {
  const { server, heard } = attempt();
  server.onReceiveMetadata(new Metadata());
  server.onReceiveStatus(ended(status.NOT_FOUND));
  expect(heard).toEqual(['headers', 'NOT_FOUND']);
});

it('gRPC gets no headers of an answer that has none', () => {
  const { server, heard } = attempt([]);
  server.onReceiveStatus(ended(status.NOT_FOUND));
  expect(heard).toEqual(['NOT_FOUND']);
});
