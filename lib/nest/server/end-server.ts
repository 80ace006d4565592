/** Shuts one gRPC server of the application down, and warns if calls had to be ended. */
import { shutDownGracefully } from '../../grpc/server/graceful-shutdown.js';
import type { BoundServer } from './grpc-servers.service.js';

/**
 * Brings a server down. Never rejects.
 *
 * @param timeoutMs how long calls under way may still run, in milliseconds
 * @param force ends that time at once
 * @param onWarning called with a text if calls had to be ended
 */
export async function endServer(
  { server, calls, url }: BoundServer,
  timeoutMs: number,
  force: AbortSignal,
  onWarning: (text: string) => void,
): Promise<void> {
  const ended = await shutDownGracefully({ server, calls, timeoutMs, force });
  if (ended === 0) return;
  onWarning(
    `${ended} calls at ${url} did not finish in the ${timeoutMs} ms they had, and were ended with UNAVAILABLE.`,
  );
}
