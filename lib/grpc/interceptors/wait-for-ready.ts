/** Calls that wait for a server instead of failing while there is none. */
import { InterceptingCall, type Interceptor, type Metadata } from '@grpc/grpc-js';

/**
 * Sets gRPC's wait-for-ready (grpc/doc/wait-for-ready.md) on a call that does not choose for itself. Such a call ends by
 * its deadline if no server comes.
 *
 * @param metadata the call's own: it is changed
 */
export function setWaitForReady(metadata: Metadata): void {
  const { waitForReady: chosen, ...others } = metadata.getOptions();
  if (chosen === undefined) metadata.setOptions({ ...others, waitForReady: true });
}

/** An interceptor that does so for every call. */
export const waitForReady: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata: Metadata, listener, next) {
      // The caller may use its metadata again.
      const own = metadata.clone();
      setWaitForReady(own);
      next(own, listener);
    },
  });
