/**
 * Reports to a directory which of its endpoints a channel is connected to. It stands between a balancer and its channel and sees every
 * subchannel that is made; the balancer does not know of it.
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

/** What a resolver hands to the balancer beside the list: where to report connections. */
export function connectionAttributes(reports: ConnectionReports): Record<string, unknown> {
  return { [OPTION]: reports };
}

/** One channel's reporting. */
export class ConnectionReporting {
  /** What the balancer is to use in place of the channel's own helper. */
  readonly helper: ChannelControlHelper;
  /** How many ready subchannels there are to each address: one that is given up may overlap with the next. */
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

  /** Reports to the directory that the resolver passed, which is another one after the channel was idle. */
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
    // The last thing a balancer does with a subchannel. It may be another channel's too, and live on.
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
