import { Server } from '@grpc/grpc-js';
import {
  registerChannelzServer,
  registerChannelzSocket,
  unregisterChannelzRef,
} from '@grpc/grpc-js/build/src/channelz.js';
import { expect, it } from 'vitest';
import {
  boundAddresses,
  dropConnections,
  http2Servers,
  sessionOf,
} from '../../../../lib/grpc/grpc-js/server-internals.js';

/** Registers a server at channelz that listens on sockets of these names; no socket is opened. */
function listeningOn(...names: readonly string[]) {
  const sockets = names.map((name) => registerChannelzSocket(name, () => ({}) as never, true));
  const info = {
    trace: { getTraceMessage: () => ({}) },
    callTracker: {},
    // grpc-js's ordered map: its `forEach` passes the pair of key and value.
    listenerChildren: { sockets: sockets.map((ref) => [ref.id, { ref }]) },
  };
  const ref = registerChannelzServer('server', () => info as never, true);
  return { getChannelzRef: () => ref, refs: [ref, ...sockets] };
}

it('the addresses of a server are those of all its sockets', () => {
  const server = listeningOn('127.0.0.1:4000', '[::1]:4000');
  try {
    expect(boundAddresses(server)).toEqual(['127.0.0.1:4000', '[::1]:4000']);
  } finally {
    for (const ref of server.refs) unregisterChannelzRef(ref);
  }
});

it('a server that is not bound, or that channelz does not know, has no addresses', () => {
  expect(boundAddresses(new Server())).toEqual([]);
  expect(boundAddresses(new Server({ 'grpc.enable_channelz': 0 }))).toEqual([]);
});

it('the HTTP/2 servers of a gRPC server are those of its bound ports', () => {
  expect(http2Servers(new Server(), 'an option')).toEqual([]);
  const [one, other] = [{}, {}];
  const server = { http2Servers: new Map([one, other].map((each) => [each, 'info'])) };
  expect(http2Servers(server as never, 'an option')).toEqual([one, other]);
});

it('a grpc-js that does not show its HTTP/2 servers is an error that names the option', () => {
  expect(() => http2Servers({} as never, 'maxConnectionAgeMs')).toThrow(
    '[UNSUPPORTED_VERSION] maxConnectionAgeMs needs the HTTP/2 servers of @grpc/grpc-js',
  );
});

it('dropConnections() destroys every session of a server, and leaves unknown servers alone', () => {
  const dropped: string[] = [];
  const session = (name: string) => ({ destroy: () => dropped.push(name) });
  dropConnections({ sessions: new Map(['a', 'b'].map((name) => [session(name), {}])) });
  expect(dropped).toEqual(['a', 'b']);
  expect(() => dropConnections({ sessions: [] })).not.toThrow();
});

it('sessionOf() returns the HTTP/2 session of the stream of a call', () => {
  const session = {};
  expect(sessionOf({ stream: { session } })).toBe(session);
  expect(sessionOf({})).toBeUndefined();
});
