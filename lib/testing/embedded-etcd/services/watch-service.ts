/** etcd's Watch service on a member. */
import type { Clock } from '../../../core/clock.js';
import type { AuthBook } from '../store/auth-book.js';
import type { Member } from '../member.js';
import type { ServiceMethodsServed } from './service-gate.js';
import { WatchStream } from './watch-stream.js';

/**
 * How often an idle watcher that asked for it gets the store's revision, in milliseconds: 10 minutes, as in
 * etcd.
 */
export const DEFAULT_PROGRESS_NOTIFY_INTERVAL_MS = 600_000;

/** The Watch service: Watch. */
export function watchService(
  member: Member,
  auth: AuthBook,
  clock: Clock,
  progressIntervalMs: number,
): ServiceMethodsServed {
  return {
    Watch(call) {
      // The listeners that the stream sets on the call keep it alive.
      void new WatchStream(call, member, auth, clock, progressIntervalMs);
    },
  };
}
