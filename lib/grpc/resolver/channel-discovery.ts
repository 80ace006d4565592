/**
 * The discovery that a channel carries in its options. grpc-js has one resolver class per scheme and process;
 * these options tell it which registry and config a channel uses.
 */
import type { ChannelOptions, ServiceConfig } from '@grpc/grpc-js';
import type { DirectoryPool } from '../../registry/directory/directory-pool.js';
import type { ChannelChoices } from '../service-config/channel-config.js';
import { privateChannelOption } from '../grpc-js/grpc-experimental.js';

/** The registry and the service config of one channel. */
interface ChannelDiscovery {
  /** The directories in which the channel finds its endpoints. */
  readonly pool: DirectoryPool;
  /** How the channel balances and retries; wins over the channel option `grpc.service_config`. */
  readonly serviceConfig: ServiceConfig;
  /** Which of these settings the config that the service publishes may decide. Default: none. */
  readonly choices?: ChannelChoices;
}

const OPTION = privateChannelOption('nestjs_grpc_discovery');

/** Channel options that carry a discovery to the resolver. */
export function withChannelDiscovery(
  options: ChannelOptions,
  discovery: ChannelDiscovery,
): ChannelOptions {
  return { ...options, [OPTION]: discovery };
}

/** The discovery in these channel options; `undefined`: the channel is a plain one. */
export function channelDiscovery(options: ChannelOptions): ChannelDiscovery | undefined {
  return options[OPTION] as ChannelDiscovery | undefined;
}
