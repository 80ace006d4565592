/** The end of the registry, which a forced shutdown does not wait for. */
import type { Registry } from '../../registry/registry.js';

/**
 * How long a registry has left once the shutdown is forced, in milliseconds: a registry that answers revokes its lease within this
 * time, and a user that sends the signal twice does not notice the wait.
 */
const FORCED_MS = 250;

/**
 * Closes a registry. Resolves when that is done, or 250 ms after the signal.
 *
 * @param force aborted when the shutdown must not wait any more
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
