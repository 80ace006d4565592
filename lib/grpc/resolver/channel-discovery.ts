/** What a channel carries in its options so that the resolver, which is one class per process, serves it alone. */
import type { ChannelOptions, ServiceConfig } from '@grpc/grpc-js';
import type { DirectoryPool } from '../../registry/directory/directory-pool.js';
import type { ChannelChoices } from '../service-config/channel-config.js';
import { privateChannelOption } from '../grpc-js/grpc-experimental.js';

/** A channel's own discovery. */
interface ChannelDiscovery {
  /** Where its endpoints come from. */
  readonly pool: DirectoryPool;
  /** How it balances and retries; it wins over the channel option `grpc.service_config`. */
  readonly serviceConfig: ServiceConfig;
  /** What of that the service may decide instead, in the config it publishes. Default: nothing. */
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

/** The discovery a channel carries, if it is one of ours. */
export function channelDiscovery(options: ChannelOptions): ChannelDiscovery | undefined {
  return options[OPTION] as ChannelDiscovery | undefined;
}
