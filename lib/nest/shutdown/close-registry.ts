/** Closes the registry at the end of a shutdown; a forced shutdown waits for it only briefly. */
import type { Registry } from '../../registry/registry.js';

/**
 * How long a registry has left once the shutdown is forced, in milliseconds: a registry that answers revokes
 * its lease within this time, and the wait is too short to be noticed.
 */
const FORCED_MS = 250;

/**
 * Closes a registry. Resolves when the registry is closed, or 250 ms after the shutdown is forced.
 *
 * @param force aborted when the shutdown is forced
 */
export async function closeRegistry(registry: Registry, force: AbortSignal): Promise<void> {
  const hurry = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onForce = (): void => {
    timer = setTimeout(() => hurry.abort(), FORCED_MS);
  };
  const given = new Promise<void>((resolve) => {
    hurry.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  if (force.aborted) onForce();
  else force.addEventListener('abort', onForce, { once: true });
  try {
    await Promise.race([registry.close(hurry.signal), given]);
  } finally {
    clearTimeout(timer);
    force.removeEventListener('abort', onForce);
  }
}
