/**
 * Reports to a directory which of its endpoints a channel is connected to. It wraps the channel's helper and
 * so sees every subchannel; the balancer does not know of it.
 */
import { type ChannelOptions, connectivityState } from '@grpc/grpc-js';
import { formatAddress } from '../../core/address.js';
import type {
  ConnectionReporter,
  ConnectionReports,
} from '../../registry/directory/connection-reports.js';
import {
  type ChannelControlHelper,
  type GrpcSubchannelAddress,
  privateChannelOption,
  type Subchannel,
} from '../grpc-js/grpc-experimental.js';

const OPTION = privateChannelOption('nestjs_grpc_discovery.connections');

/**
 * Channel options with the place to report connections to; the resolver passes them to the balancer with a
 * list.
 */
export function connectionAttributes(reports: ConnectionReports): Record<string, unknown> {
  return { [OPTION]: reports };
}

/** Reports to a directory to which of its addresses one channel has a ready connection. */
export class ConnectionReporting {
  /** The helper that the balancer must use instead of the channel's own. */
  readonly helper: ChannelControlHelper;
  /** How many ready subchannels each address has: an old one and its replacement may overlap. */
  private readonly ready = new Map<string, number>();
  private reports: ConnectionReports | undefined;
  private reporter: ConnectionReporter | undefined;

  constructor(helper: ChannelControlHelper) {
    this.helper = {
      createSubchannel: (address, options) =>
        this.observe(helper.createSubchannel(address, options), dialled(address)),
      updateState: (...args) => helper.updateState(...args),
      requestReresolution: () => helper.requestReresolution(),
      addChannelzChild: (child) => helper.addChannelzChild(child),
      removeChannelzChild: (child) => helper.removeChannelzChild(child),
    };
  }

  /** Reports to the directory that these options name. It is another directory after the channel was idle. */
  follow(options: ChannelOptions): void {
    const reports = options[OPTION] as ConnectionReports | undefined;
    if (reports === this.reports) return;
    this.reporter?.close();
    this.reports = reports;
    this.reporter = reports?.open();
    for (const address of this.ready.keys()) this.reporter?.report(address, true);
  }

  close(): void {
    this.reporter?.close();
    this.reporter = undefined;
  }

  private observe(subchannel: Subchannel, address: string): Subchannel {
    let isReady = false;
    const become = (state: connectivityState): void => {
      if (isReady === (state === connectivityState.READY)) return;
      isReady = !isReady;
      this.count(address, isReady ? 1 : -1);
    };
    const listener = (_: Subchannel, __: connectivityState, state: connectivityState): void =>
      become(state);
    subchannel.addConnectivityStateListener(listener);
    become(subchannel.getConnectivityState());
    // `unref` is the balancer's last use of a subchannel. Another channel may share the subchannel and keep
    // it connected; for this channel it counts as not connected.
    const unref = subchannel.unref.bind(subchannel);
    subchannel.unref = () => {
      subchannel.removeConnectivityStateListener(listener);
      become(connectivityState.IDLE);
      unref();
    };
    return subchannel;
  }

  private count(address: string, difference: number): void {
    const count = (this.ready.get(address) ?? 0) + difference;
    if (count > 0) this.ready.set(address, count);
    else this.ready.delete(address);
    this.reporter?.report(address, count > 0);
  }
}

function dialled(address: GrpcSubchannelAddress): string {
  return 'path' in address ? `unix:${address.path}` : formatAddress(address.host, address.port);
}
