/**
 * Reads private parts of grpc-js's server: the port that `:0` became (Nest's transport does not keep it), its
 * HTTP/2 servers, their sessions, and the session of a call.
 */
import { getChannelzHandlers, type Server } from '@grpc/grpc-js';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import { DiscoveryError } from '../../core/discovery-error.js';

/** The part of a server that channelz, gRPC's own introspection, needs. */
type ChannelzServer = Pick<Server, 'getChannelzRef'>;

/** `host:port` of every socket that a server listens on; empty if channelz is switched off for the server. */
export function boundAddresses(server: ChannelzServer): string[] {
  let names: string[] = [];
  const call = { request: { server_id: server.getChannelzRef().id } };
  type GetServer = (call: unknown, callback: (error: unknown, reply: unknown) => void) => void;
  // The declared type demands a whole server call, but the handler reads only the request. It calls back
  // before it returns.
  (getChannelzHandlers()['GetServer'] as unknown as GetServer)(call, (_error, reply) => {
    names = socketNames(reply);
  });
  return names;
}

function socketNames(reply: unknown): string[] {
  const { server } = (reply ?? {}) as {
    server?: { listen_socket?: readonly { name: string }[] };
  };
  return (server?.listen_socket ?? []).map(({ name }) => name);
}

/**
 * The HTTP/2 servers of a gRPC server whose ports are bound.
 *
 * @param option the option that needs these servers, for the error
 * @throws DiscoveryError `UNSUPPORTED_VERSION` if this grpc-js does not expose its HTTP/2 servers
 */
export function http2Servers(server: Server, option: string): Http2Server[] {
  const servers: unknown = Reflect.get(server, 'http2Servers');
  if (!(servers instanceof Map)) {
    throw new DiscoveryError(
      'UNSUPPORTED_VERSION',
      `${option} needs the HTTP/2 servers of @grpc/grpc-js, which this version does not show; allowed: ~1.14.0`,
    );
  }
  return [...(servers as Map<Http2Server, unknown>).keys()];
}

/**
 * Drops the open connections of a gRPC server. Their calls end with `UNAVAILABLE` at the client, as when the
 * process has died; with grpc-js's own `forceShutdown` they end with `CANCELLED`, as if the client had
 * cancelled them.
 */
export function dropConnections(server: object): void {
  const sessions: unknown = Reflect.get(server, 'sessions');
  if (!(sessions instanceof Map)) return;
  for (const session of (sessions as Map<ServerHttp2Session, unknown>).keys()) session.destroy();
}

/** The HTTP/2 session that a server's call came over. */
export function sessionOf(call: object): unknown {
  const stream = Reflect.get(call, 'stream') as { readonly session?: unknown } | undefined;
  return stream?.session;
}
