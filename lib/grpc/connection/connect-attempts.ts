/**
 * Ends an attempt to connect that has no user left: an address that answers nothing would keep the process alive for as long
 * as the system repeats its SYN, two minutes and more. grpc-js knows no way to stop one, but hands an address on to `net.connect`
 * as it was given, and `net.connect` takes a signal.
 */
import { type ChannelOptions, connectivityState } from '@grpc/grpc-js';
import type {
  ChannelControlHelper,
  GrpcSubchannelAddress,
  Subchannel,
} from '../grpc-js/grpc-experimental.js';

/** The attempts of one connection of grpc-js's, which several channels may share. */
class ConnectAttempts {
  holders = 0;
  private latest: AbortController | undefined;

  /** Read once by each `net.connect`: a signal of its own, so that what was connected before it is not ended with it. */
  begin(): AbortSignal {
    const attempt = new AbortController();
    this.latest = attempt;
    // gRPC's own timer begins it. Aborted from the first, a socket would connect all the same.
    if (this.holders === 0) queueMicrotask(() => attempt.abort());
    return attempt.signal;
  }

  end(): void {
    this.latest?.abort();
  }
}

const attemptsOf = new WeakMap<object, ConnectAttempts>();

/** A connection whose attempts can be ended. To be held before it is used. */
export function createSubchannel(
  helper: ChannelControlHelper,
  address: GrpcSubchannelAddress,
  options: ChannelOptions,
): Subchannel {
  const attempts = new ConnectAttempts();
  const endable = Object.defineProperty({ ...address }, 'signal', {
    enumerable: true,
    get: () => attempts.begin(),
  });
  const subchannel = helper.createSubchannel(endable, options);
  const real = subchannel.getRealSubchannel();
  // A connection that exists already dials the address that it was made with.
  if (!attemptsOf.has(real)) attemptsOf.set(real, attempts);
  return subchannel;
}

/** Has a connection stay until it is released as often. */
export function holdSubchannel(subchannel: Subchannel): void {
  subchannel.ref();
  const attempts = attemptsOf.get(subchannel.getRealSubchannel());
  if (attempts !== undefined) attempts.holders++;
}

/** Gives a connection up. Calls under way on it still finish; an attempt to connect ends with its last user. */
export function releaseSubchannel(subchannel: Subchannel): void {
  subchannel.unref();
  const attempts = attemptsOf.get(subchannel.getRealSubchannel());
  if (attempts === undefined || --attempts.holders > 0) return;
  if (subchannel.getConnectivityState() === connectivityState.CONNECTING) attempts.end();
}
