/** Shuts a gRPC server down without losing calls that can still finish. */
import type { Server } from '@grpc/grpc-js';
import { dropConnections } from '../grpc-js/server-internals.js';
import type { CallTracker } from './call-tracker.js';

/** A server to shut down, and how long that may take. */
interface GracefulShutdown {
  readonly server: Pick<Server, 'tryShutdown' | 'forceShutdown'>;
  readonly calls: CallTracker;
  /** How long calls under way may still run, in milliseconds. */
  readonly timeoutMs: number;
  /** When this signal is aborted, the shutdown no longer waits for calls. */
  readonly force: AbortSignal;
}

/** The status text that a client gets for a call that did not finish in time. */
const DRAINED = 'the server is shutting down; the call may be tried elsewhere';
const HEALTH_WATCH = '/grpc.health.v1.Health/Watch';
/**
 * How long the final statuses of calls may take to be sent, in milliseconds: a client that does not read
 * delays them.
 */
const FLUSH_MS = 750;

/**
 * Sends GOAWAY, refuses new connections and waits for calls to finish. Then ends the remaining calls with
 * `UNAVAILABLE` and drops the remaining connections. Never rejects.
 *
 * @returns how many calls had to be ended
 */
export async function shutDownGracefully(options: GracefulShutdown): Promise<number> {
  const { server, calls, timeoutMs, force } = options;
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  // Health watches stay open as long as the server runs: a shutdown must not wait for them.
  calls.end(DRAINED, HEALTH_WATCH);
  let ended = 0;
  if (!(await settles(closed, timeoutMs, force))) {
    ended = calls.end(DRAINED);
    if (!(await settles(closed, FLUSH_MS))) dropConnections(server);
  }
  server.forceShutdown();
  return ended;
}

/** Whether a promise settles before the time is over or the signal is aborted. */
async function settles(
  promise: Promise<void>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  if (signal?.aborted === true) return false;
  let giveUp!: () => void;
  const over = new Promise<false>((resolve) => (giveUp = () => resolve(false)));
  const timer = setTimeout(giveUp, timeoutMs);
  signal?.addEventListener('abort', giveUp);
  try {
    return await Promise.race([promise.then(() => true), over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
