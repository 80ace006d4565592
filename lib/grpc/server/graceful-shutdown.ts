/** Brings a gRPC server down without losing a call that could still finish. */
import type { Server } from '@grpc/grpc-js';
import { dropConnections } from '../grpc-js/server-internals.js';
import type { CallTracker } from './call-tracker.js';

/** What is shut down, and how long it may take. */
interface GracefulShutdown {
  readonly server: Pick<Server, 'tryShutdown' | 'forceShutdown'>;
  readonly calls: CallTracker;
  /** How long calls under way may still run, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait at once. */
  readonly force: AbortSignal;
}

/** What the client learns when its call did not finish in time. */
const DRAINED = 'the server is shutting down; the call may be tried elsewhere';
const HEALTH_WATCH = '/grpc.health.v1.Health/Watch';
/** How long the ends of calls may take to leave, in milliseconds; a client that does not read holds them up. */
const FLUSH_MS = 750;

/**
 * Sends GOAWAY and refuses new connections, lets calls finish, ends those that remain with `UNAVAILABLE`, and drops the
 * connections that are left. Never rejects.
 *
 * @returns how many calls had to be ended
 */
export async function shutDownGracefully(options: GracefulShutdown): Promise<number> {
  const { server, calls, timeoutMs, force } = options;
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  // They are open as long as the server is: nobody wants to wait for those.
  calls.end(DRAINED, HEALTH_WATCH);
  let ended = 0;
  if (!(await settles(closed, timeoutMs, force))) {
    ended = calls.end(DRAINED);
    if (!(await settles(closed, FLUSH_MS))) dropConnections(server);
  }
  server.forceShutdown();
  return ended;
}

/** Whether a promise settles before the time is over or the signal comes. */
async function settles(
  promise: Promise<void>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  if (signal?.aborted === true) return false;
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const over = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
    onAbort = () => resolve(false);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise.then(() => true), over]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
  }
}
