/**
 * The transport of grpc-js: a subchannel, which several channels of a process may share.
 *
 * An attempt to connect is aborted when the last channel that uses its subchannel releases the subchannel.
 * Otherwise an address that never answers would keep the process alive as long as the system repeats its SYN,
 * two minutes and more. grpc-js cannot abort an attempt, but it passes the address object on to
 * `net.connect`, which accepts an abort signal in it.
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

/** Channel option: 1 limits keepalive pings to what servers in Go tolerate. */
export const SPARING_PINGS_OPTION = 'nestjs_grpc_discovery.sparing_pings';

/**
 * Channel option with the number of an attempt: after an abandoned attempt, grpc-js's pool then makes a new
 * subchannel.
 */
const ATTEMPT_OPTION = 'nestjs_grpc_discovery.attempt';

const STATES: Readonly<Record<connectivityState, TransportState>> = {
  [connectivityState.IDLE]: 'idle',
  [connectivityState.CONNECTING]: 'connecting',
  [connectivityState.READY]: 'ready',
  [connectivityState.TRANSIENT_FAILURE]: 'failed',
  [connectivityState.SHUTDOWN]: 'idle',
};

/** The {@link ConnectAttempts} of each subchannel in grpc-js's pool. */
const attemptsOf = new WeakMap<object, ConnectAttempts>();

/**
 * Returns the function that makes the transports of one channel.
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

/** Connects one channel to an endpoint by a subchannel of grpc-js, which other channels may use as well. */
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
    // grpc-js may return a subchannel from its pool. Such a subchannel dials with the signal of the address
    // with which it was made.
    this.attempts = attemptsOf.get(real) ?? attempts;
    attemptsOf.set(real, this.attempts);
    this.subchannel.ref();
    this.attempts.hold();
  }

  get state(): TransportState {
    return STATES[this.subchannel.getConnectivityState()];
  }

  listen(listener: TransportListener): void {
    // The subchannel keeps a set of listeners: adding this one again changes nothing.
    this.subchannel.addConnectivityStateListener(this.onState);
    this.listener = listener;
    // If another channel has connected the subchannel already, no event follows.
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
    this.subchannel.removeConnectivityStateListener(this.onState);
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

/** Aborts the attempt to connect of one subchannel once no channel uses the subchannel. */
class ConnectAttempts {
  private holders = 0;
  private latest: AbortController | undefined;

  hold(): void {
    this.holders++;
  }

  /**
   * Called when a channel no longer uses the subchannel. If it was the last one, the attempt under way is
   * aborted.
   */
  release(isConnecting: boolean): void {
    this.holders--;
    if (this.holders <= 0 && isConnecting) this.latest?.abort();
  }

  /**
   * Called once for each `net.connect`. Each attempt gets its own signal, so that aborting it does not close
   * an earlier connection.
   */
  begin(): AbortSignal {
    const attempt = new AbortController();
    this.latest = attempt;
    // If no channel uses the subchannel, gRPC's own timer began this attempt. The abort comes later, because
    // a socket ignores a signal that is aborted from the start.
    if (this.holders === 0) queueMicrotask(() => attempt.abort());
    return attempt.signal;
  }
}
