/**
 * What grpc-js's server keeps to itself: its HTTP/2 servers, their sessions, and the session of a call. Where a version of
 * grpc-js shows none of them, there are none, except where the caller cannot do without.
 */
import type { Server } from '@grpc/grpc-js';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import { DiscoveryError } from '../../core/discovery-error.js';

/**
 * The HTTP/2 servers of a gRPC server whose ports are bound.
 *
 * @param option named in the error
 * @throws DiscoveryError `UNSUPPORTED_VERSION` where this grpc-js does not show them
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
 * Drops the open connections of a gRPC server. A call on one of them ends with `UNAVAILABLE` at its client, as when the
 * process is gone; with grpc-js's own `forceShutdown` it ends with `CANCELLED`, as though the client had given up.
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
