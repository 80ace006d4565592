/** Connects a channel before its first call. */
import { type Client, connectivityState } from '@grpc/grpc-js';

/**
 * Starts connecting a channel and waits until the channel is ready, has failed, or `timeoutMs` have passed.
 * Never rejects.
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
