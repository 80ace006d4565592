/** Makes calls wait for a server instead of failing while no server can be reached. */
import { InterceptingCall, type Interceptor, type Metadata } from '@grpc/grpc-js';

/**
 * Sets gRPC's wait-for-ready (grpc/doc/wait-for-ready.md) on a call unless the call itself has set or cleared
 * it. A call that waits ends at its deadline if no server becomes ready.
 *
 * @param metadata metadata of the call, which this function changes
 */
export function setWaitForReady(metadata: Metadata): void {
  const { waitForReady: chosen, ...others } = metadata.getOptions();
  if (chosen === undefined) metadata.setOptions({ ...others, waitForReady: true });
}

/** An interceptor that sets wait-for-ready on every call that has neither set nor cleared it. */
export const waitForReady: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata: Metadata, listener, next) {
      // A copy, because the caller may use its metadata again.
      const own = metadata.clone();
      setWaitForReady(own);
      next(own, listener);
    },
  });
