/**
 * Limits the age of a server's connections, so that long-lived streams spread over servers that start later.
 * grpc-js has an option for this, but its GOAWAY claims that the server saw every call: calls on their way
 * then fail. Here the GOAWAY names the last call that the server saw, and clients retry the later calls by
 * themselves.
 */
import type { Server } from '@grpc/grpc-js';
import type { ServerHttp2Session } from 'node:http2';
import type { Clock, Random } from '../../core/clock.js';
import { http2Servers } from '../grpc-js/server-internals.js';
import type { CallTracker } from './call-tracker.js';

/** How old a server's connections may become. */
interface ConnectionAgeOptions {
  /**
   * Age at which the server asks the client to leave a connection (GOAWAY), in milliseconds, spread by ±10 %.
   */
  readonly maxAgeMs: number;
  /** How long calls may still run after the GOAWAY, in milliseconds; then they end with `UNAVAILABLE`. */
  readonly graceMs: number;
}

const AGED = 'the connection has reached its maximum age; the call may be tried again';
/**
 * By how much at most an age differs from `maxAgeMs`, as a share of `maxAgeMs`, so that connections that were
 * made together do not end together.
 */
const SPREAD = 0.1;

/**
 * Limits the age of a server's connections. Call it after the server's ports are bound.
 *
 * @throws DiscoveryError `UNSUPPORTED_VERSION` if this grpc-js does not expose its HTTP/2 servers
 */
export function limitConnectionAge(
  server: Server,
  calls: CallTracker,
  options: ConnectionAgeOptions,
  clock: Clock,
  random: Random,
): void {
  for (const http2Server of http2Servers(server, 'service.maxConnectionAgeMs')) {
    http2Server.on('session', (session: ServerHttp2Session) => {
      const ageMs = options.maxAgeMs * (1 - SPREAD + 2 * SPREAD * random());
      const cancel = clock.setTimer(ageMs, () => retire(session, calls, options.graceMs, clock));
      session.once('close', cancel);
    });
  }
}

function retire(
  session: ServerHttp2Session,
  calls: CallTracker,
  graceMs: number,
  clock: Clock,
): void {
  if (session.closed || session.destroyed) return;
  // `close()` sends a GOAWAY that names the last stream processed. A `goaway()` before it would have to guess
  // that stream, and after a `goaway()` Node stops reading the session as soon as no call is under way.
  session.close();
  const cancel = clock.setTimer(graceMs, () => calls.endOf(session, AGED));
  session.once('close', cancel);
}
