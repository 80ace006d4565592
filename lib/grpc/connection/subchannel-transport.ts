/**
 * The transport of grpc-js: a subchannel, which several channels of a process may share.
 *
 * An attempt to connect whose last user has released it is aborted: an address that answers nothing would keep the process alive for as
 * long as the system repeats its SYN, two minutes and more. grpc-js has no way to stop one, but hands an address on to `net.connect` as
 * it was given, and `net.connect` takes a signal.
 */
import { type ChannelOptions, connectivityState } from '@grpc/grpc-js';
import { endpointAddress } from '../../core/records/endpoint-address.js';
import {
  breakOffHandshake,
  type ChannelControlHelper,
  type GrpcSubchannelAddress,
  type Subchannel,
  subchannelOptions,
} from '../grpc-js/grpc-experimental.js';
import { prepareTransport } from '../grpc-js/ready-transport.js';
import { startHealthCall } from './health-call.js';
import type {
  DialTransport,
  HealthListener,
  Transport,
  TransportListener,
  TransportState,
} from './transport.js';

/** Channel option: 1 has keepalive pings stay within what servers in Go bear. */
export const SPARING_PINGS_OPTION = 'nestjs_grpc_discovery.sparing_pings';

/** Makes attempts that follow a given-up one different connections in grpc-js's pool. */
const ATTEMPT_OPTION = 'nestjs_grpc_discovery.attempt';

const STATES: Readonly<Record<connectivityState, TransportState>> = {
  [connectivityState.IDLE]: 'idle',
  [connectivityState.CONNECTING]: 'connecting',
  [connectivityState.READY]: 'ready',
  [connectivityState.TRANSIENT_FAILURE]: 'failed',
  [connectivityState.SHUTDOWN]: 'idle',
};

/** By the subchannel of grpc-js's pool. */
const attemptsOf = new WeakMap<object, ConnectAttempts>();

/**
 * Makes transports of one channel.
 *
 * @param options the options of the channel
 */
export function subchannelDialer(
  helper: ChannelControlHelper,
  options: ChannelOptions,
): DialTransport {
  const own = subchannelOptions(options);
  const isSparing = own[SPARING_PINGS_OPTION] === 1;
  return (endpoint, attempt) => {
    const address = endpointAddress(endpoint);
    if (address === undefined) throw new Error(`"${endpoint.address}" cannot be dialled`);
    const { kind: _, ...subchannelAddress } = address;
    const dialled = attempt === 0 ? own : { ...own, [ATTEMPT_OPTION]: attempt };
    return new SubchannelTransport(helper, subchannelAddress, dialled, isSparing);
  };
}

/** One channel's use of a subchannel. */
class SubchannelTransport implements Transport {
  readonly subchannel: Subchannel;
  private readonly attempts: ConnectAttempts;
  private listener: TransportListener | undefined;

  constructor(
    helper: ChannelControlHelper,
    address: GrpcSubchannelAddress,
    options: ChannelOptions,
    private readonly isSparing: boolean,
  ) {
    const attempts = new ConnectAttempts();
    const endable = Object.defineProperty({ ...address }, 'signal', {
      enumerable: true,
      get: () => attempts.begin(),
    });
    this.subchannel = helper.createSubchannel(endable, options);
    const real = this.subchannel.getRealSubchannel();
    // A subchannel that exists already dials the address that it was made with.
    this.attempts = attemptsOf.get(real) ?? attempts;
    attemptsOf.set(real, this.attempts);
    this.subchannel.ref();
    this.attempts.hold();
  }

  get state(): TransportState {
    return STATES[this.subchannel.getConnectivityState()];
  }

  listen(listener: TransportListener): void {
    if (this.listener === undefined) this.subchannel.addConnectivityStateListener(this.onState);
    this.listener = listener;
    // Another channel may have connected it.
    if (this.state === 'ready') this.prepare();
  }

  connect(): void {
    this.subchannel.startConnecting();
  }

  resetBackoff(): void {
    this.subchannel.getRealSubchannel().resetBackoff();
  }

  breakOff(): boolean {
    return breakOffHandshake(this.subchannel);
  }

  watchHealth(service: string, listener: HealthListener): () => void {
    return startHealthCall(this.subchannel.getChannel(), service, listener);
  }

  release(): void {
    if (this.listener !== undefined) this.subchannel.removeConnectivityStateListener(this.onState);
    this.listener = undefined;
    this.subchannel.unref();
    this.attempts.release(this.state === 'connecting');
  }

  private readonly onState = (
    _subchannel: Subchannel,
    _previous: connectivityState,
    next: connectivityState,
    _keepaliveTimeMs: number,
    error?: string,
  ): void => {
    const state = STATES[next];
    if (state === 'ready') this.prepare();
    this.listener?.(state, error);
  };

  private prepare(): void {
    prepareTransport(this.subchannel, this.isSparing);
  }
}

/** The attempts of one subchannel of grpc-js's pool. */
class ConnectAttempts {
  private holders = 0;
  private latest: AbortController | undefined;

  hold(): void {
    this.holders++;
  }

  /** Ends the attempt under way with its last holder. */
  release(isConnecting: boolean): void {
    this.holders--;
    if (this.holders <= 0 && isConnecting) this.latest?.abort();
  }

  /** Read once by each `net.connect`: a signal of its own, so that the end of one attempt does not end an earlier connection. */
  begin(): AbortSignal {
    const attempt = new AbortController();
    this.latest = attempt;
    // gRPC's own timer begins it. A socket that is given an aborted signal connects all the same.
    if (this.holders === 0) queueMicrotask(() => attempt.abort());
    return attempt.signal;
  }
}
