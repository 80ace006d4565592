/** Waits at the start for the registrations, and names those that are late. */
import { filter, firstValueFrom } from 'rxjs';
import type { DiscoveryError } from '../../core/discovery-error.js';
import { DEFAULT_REQUEST_TIMEOUT_MS } from '../../etcd/etcd-options.js';
import type { Registration } from '../../registry/registration.js';

/** Registrations that did not reach the registry in time. */
export interface LateRegistrations {
  /** The late registrations and the time that they had, in words. */
  readonly text: string;
  readonly cause: DiscoveryError | undefined;
}

/** A registration is late if it takes this much longer than one request may take, in milliseconds. */
const GRACE_MS = 500;

/**
 * Waits until all records are in the registry or were removed again, at most for about the time of one
 * request.
 *
 * @param requestTimeoutMs how long one request may take, in milliseconds. Default 2,000
 * @returns `undefined` if no registration is late
 */
export async function lateRegistrations(
  registrations: readonly Registration[],
  requestTimeoutMs: number = DEFAULT_REQUEST_TIMEOUT_MS,
): Promise<LateRegistrations | undefined> {
  const settled = registrations.map(({ status$ }) =>
    firstValueFrom(
      status$.pipe(filter(({ state }) => state === 'registered' || state === 'deregistered')),
      { defaultValue: undefined },
    ),
  );
  const timeoutMs = requestTimeoutMs + GRACE_MS;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([Promise.all(settled), late]);
  clearTimeout(timer);
  const missing = registrations.filter(({ status }) =>
    ['registering', 'unreachable', 'conflict'].includes(status.state),
  );
  if (missing.length === 0) return undefined;
  const keys = missing.map(({ status }) => status.key).join(', ');
  return {
    text: `${keys} could not be registered within ${timeoutMs} ms`,
    cause: missing[0]?.status.error,
  };
}
