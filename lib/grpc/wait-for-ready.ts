/** Calls that wait for a server instead of failing while there is none. */
import { InterceptingCall, type Interceptor, type Metadata } from '@grpc/grpc-js';

/**
 * An interceptor that sets gRPC's wait-for-ready on every call that does not choose for itself
 * (grpc/doc/wait-for-ready.md). Such a call ends by its deadline if no server comes.
 */
export const waitForReady: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata: Metadata, listener, next) {
      const { waitForReady: chosen, ...others } = metadata.getOptions();
      if (chosen === undefined) metadata.setOptions({ ...others, waitForReady: true });
      next(metadata, listener);
    },
  });
