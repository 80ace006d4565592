/** Makes Nest's gRPC clients out of service names. */
import type { ChannelOptions, Client } from '@grpc/grpc-js';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { ClientGrpcProxy, type GrpcOptions } from '@nestjs/microservices';
import { DiscoveryError } from '../core/discovery-error.js';
import { formatTarget } from '../core/target.js';
import { withCallPromises } from '../grpc/call-interceptors.js';
import { withChannelDiscovery } from '../grpc/channel-discovery.js';
import { SPARING_PINGS_OPTION } from '../grpc/connection-context.js';
import { createHashKeyInterceptor } from '../grpc/hash-key.js';
import { type CatalogedMethod, catalogMethods, methodKinds } from '../grpc/method-catalog.js';
import { createBalancerSettings } from '../grpc/policies.js';
import { installResolver } from '../grpc/resolver-table.js';
import { createRetryConfig } from '../grpc/retry-policy.js';
import { createServiceConfig } from '../grpc/service-config.js';
import { waitForReady } from '../grpc/wait-for-ready.js';
import { warmUp } from '../grpc/warm-up.js';
import { type DirectoryLease, DirectoryPool } from '../registry/directory-pool.js';
import type { ClientDefinition } from './discovery-options.js';
import { DISCOVERY_OPTIONS } from './discovery.tokens.js';
import { validateClient } from './validate-clients.js';
import { validateLoadBalancing } from './validate-load-balancing.js';
import type { ResolvedOptions } from './validate-options.js';

/** gRPC's own defaults would let a dead connection go unnoticed, or send calls to a proxy instead of the endpoint. */
const CHANNEL_DEFAULTS: ChannelOptions = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.enable_http_proxy': 0,
};

/** How long a bootstrap waits for first connections, in milliseconds. */
const WARM_UP_TIMEOUT_MS = 1_000;

/** Creates clients and closes them with the application. */
@Injectable()
export class GrpcClientFactory implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly clients = new Set<DiscoveredClient>();
  /** What tells this process from the other clients of a service, for subsets. */
  private readonly clientId = crypto.randomUUID();
  private closed = false;

  constructor(
    @Inject(DISCOVERY_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(DirectoryPool) private readonly pool: DirectoryPool,
  ) {}

  /**
   * A client for a service. Its list of endpoints is followed from now on; connections are made at
   * bootstrap if it is in use by then, else by the first call. It is closed with the application, unless `close()` was
   * called before.
   *
   * @throws DiscoveryError `INVALID_OPTION`, `CLOSED`
   */
  create(definition: ClientDefinition): ClientGrpcProxy {
    const client = { ...this.options.clientDefaults, ...validateClient('client', definition) };
    if (this.closed) {
      throw new DiscoveryError('CLOSED', `client "${client.name}": the application has shut down`);
    }
    const service = client.service ?? client.name;
    const { scheme } = this.pool.registry;
    installResolver(scheme);
    const { keepalive, credentials, loader } = client;
    const options: GrpcOptions['options'] = {
      url: formatTarget(scheme, service),
      package: client.package,
      protoPath: client.protoPath,
      ...(keepalive === undefined ? {} : { keepalive }),
      ...(credentials === undefined ? {} : { credentials }),
      ...(loader === undefined ? {} : { loader }),
    };
    const proxy = new DiscoveredClient(options, (closed) => this.clients.delete(closed));
    // Known only now that the proto is loaded, and read by Nest only when the first channel is made.
    options.channelOptions = this.channelOptions(client, catalogMethods(proxy.packages));
    proxy.hold(this.pool.acquire(service));
    this.clients.add(proxy);
    return proxy;
  }

  /** Connects the clients that are in use already, so that the first call finds a connection. */
  async onApplicationBootstrap(): Promise<void> {
    const channels = [...this.clients].flatMap((client) => client.openChannels);
    await Promise.all(channels.map((channel) => warmUp(channel, WARM_UP_TIMEOUT_MS)));
  }

  onApplicationShutdown(): void {
    this.closed = true;
    for (const client of this.clients) client.close();
  }

  private channelOptions(
    client: ClientDefinition,
    methods: readonly CatalogedMethod[],
  ): ChannelOptions {
    const { loadBalancing, subsetSize, zone, timeoutMs, retry } = client;
    const traits = { clientId: this.clientId, subsetSize, zone };
    const options = validateLoadBalancing('client.loadBalancing', loadBalancing ?? {});
    const settings = createBalancerSettings(options, traits);
    const retries = createRetryConfig(retry ?? {}, methods);
    const interceptors = [
      ...(typeof options.hashKey === 'function' ? [createHashKeyInterceptor(options.hashKey)] : []),
      ...(client.waitForReady === true ? [waitForReady] : []),
    ];
    return withChannelDiscovery(
      {
        ...CHANNEL_DEFAULTS,
        // Who sets the pings knows the servers.
        ...(client.keepalive === undefined ? { [SPARING_PINGS_OPTION]: 1 } : {}),
        ...withCallPromises(client.channelOptions ?? {}, { timeoutMs, interceptors }),
      },
      {
        pool: this.pool,
        serviceConfig: createServiceConfig(settings, retries),
        choices: {
          balancing: traits,
          chosen: options,
          retries: retry === undefined,
          timeouts: timeoutMs === undefined,
          waitForReady: client.waitForReady === undefined,
          ...methodKinds(methods),
        },
      },
    );
  }
}

/** Nest's client, with a look at what it has loaded and opened; its list is followed for as long as it is open. */
class DiscoveredClient extends ClientGrpcProxy {
  private lease: DirectoryLease | undefined;

  constructor(
    options: GrpcOptions['options'],
    private readonly onClose: (client: DiscoveredClient) => void,
  ) {
    super(options);
  }

  /** The proto packages, as grpc-js loaded them. */
  get packages(): readonly unknown[] {
    return this.grpcClients;
  }

  /** The channels opened so far: one per proto service in use. */
  get openChannels(): ReturnType<Client['getChannel']>[] {
    return [...this.clients.values()].map((client: Client) => client.getChannel());
  }

  /** Has a list followed until this client is closed. */
  hold(lease: DirectoryLease): void {
    this.lease = lease;
  }

  override close(): void {
    super.close();
    this.lease?.release();
    this.onClose(this);
  }
}
