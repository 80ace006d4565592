/**
 * Maximum age of connections, so that long-lived streams spread over servers that came later. grpc-js has an option of its
 * own, whose GOAWAY claims that every call was seen: those that are on their way just then fail. Here the GOAWAY names the
 * last call that was seen, and clients try the later ones again by themselves.
 */
import type { Server } from '@grpc/grpc-js';
import type { ServerHttp2Session } from 'node:http2';
import type { Clock, Random } from '../../core/clock.js';
import { http2Servers } from '../grpc-js/server-internals.js';
import type { CallTracker } from './call-tracker.js';

/** How old connections get. */
interface ConnectionAgeOptions {
  /** Age at which a connection is to be left, in milliseconds, spread by ±10 %. */
  readonly maxAgeMs: number;
  /** How long calls may then still run before they are ended with `UNAVAILABLE`, in milliseconds. */
  readonly graceMs: number;
}

const AGED = 'the connection has reached its maximum age; the call may be tried again';
/** Connections that were made together are not left together. */
const SPREAD = 0.1;

/**
 * Watches over the age of a server's connections. To be called when its ports are bound.
 *
 * @throws DiscoveryError `UNSUPPORTED_VERSION` where this grpc-js does not show its HTTP/2 servers
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
  // Sends GOAWAY with the last stream that was processed; a `goaway()` before it would have to guess, and worse, Node stops
  // reading a session that has sent one as soon as no call is under way.
  session.close();
  const cancel = clock.setTimer(graceMs, () => calls.endOf(session, AGED));
  session.once('close', cancel);
}
