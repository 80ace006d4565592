/** Connecting before the first call does. */
import { type Client, connectivityState } from '@grpc/grpc-js';

/**
 * Starts connecting a channel and waits until it is ready, has failed, or the time is over. Never rejects.
 *
 * @param timeoutMs how long to wait at most, in milliseconds
 */
export function warmUp(
  channel: ReturnType<Client['getChannel']>,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  return new Promise((resolve) => {
    const check = (): void => {
      const state = channel.getConnectivityState(true);
      if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) {
        resolve();
        return;
      }
      channel.watchConnectivityState(state, deadline, (error) => (error ? resolve() : check()));
    };
    check();
  });
}
