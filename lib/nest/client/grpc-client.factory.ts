/** Makes Nest's gRPC clients out of service names. */
import type { ChannelOptions } from '@grpc/grpc-js';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { ClientGrpcProxy } from '@nestjs/microservices';
import { DiscoveryError } from '../../core/discovery-error.js';
import { formatTarget } from '../../core/target.js';
import { withCallPromises } from '../../grpc/interceptors/call-interceptors.js';
import { withChannelDiscovery } from '../../grpc/resolver/channel-discovery.js';
import { SPARING_PINGS_OPTION } from '../../grpc/connection/subchannel-transport.js';
import { createHashKeyInterceptor } from '../../grpc/interceptors/hash-key.js';
import {
  type CatalogedMethod,
  catalogMethods,
  methodKinds,
} from '../../grpc/service-config/method-catalog.js';
import { createBalancerSettings } from '../../grpc/balancer/policies.js';
import { installResolver } from '../../grpc/resolver/resolver-table.js';
import { createRetryConfig } from '../../grpc/service-config/retry-policy.js';
import { createServiceConfig } from '../../grpc/service-config/service-config.js';
import { waitForReady } from '../../grpc/interceptors/wait-for-ready.js';
import { warmUp } from '../../grpc/warm-up.js';
import { DirectoryPool } from '../../registry/directory/directory-pool.js';
import { DiscoveredClient } from './discovered-client.js';
import type { ClientDefinition } from '../options/discovery-options.js';
import { DISCOVERY_OPTIONS } from '../discovery.tokens.js';
import {
  givenChannelOptions,
  idleOptions,
  nestClientOptions,
} from '../options/nest-client-options.js';
import { clientPlace } from '../options/option-value.js';
import { assertOneGrpc } from '../one-copy.js';
import { RetriedMethods } from './retried-methods.js';
import { validateClient } from '../options/validate-clients.js';
import { validateLoadBalancing } from '../options/validate-load-balancing.js';
import type { ResolvedOptions } from '../options/validate-options.js';

/**
 * With grpc-js's own defaults a dead connection could go unnoticed, and calls could go to a proxy
 * (`http_proxy`) instead of the endpoint.
 */
const CHANNEL_DEFAULTS: ChannelOptions = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.enable_http_proxy': 0,
};

/** How long the application's bootstrap waits for the first connections of its clients, in milliseconds. */
const WARM_UP_TIMEOUT_MS = 1_000;

/** Creates the clients of the application, and closes them at its shutdown. */
@Injectable()
export class GrpcClientFactory implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly clients = new Set<DiscoveredClient>();
  /** Identifies this process among the clients of a service, for subsets. */
  private readonly clientId = crypto.randomUUID();
  private readonly logger = new Logger('DiscoveryModule');
  private readonly retriedMethods: RetriedMethods;
  private closed = false;

  constructor(
    @Inject(DISCOVERY_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(DirectoryPool) private readonly pool: DirectoryPool,
  ) {
    this.retriedMethods = new RetriedMethods(options.clientDefaults);
  }

  /**
   * Creates the client of a service. The client follows the service's endpoint list from now on. A channel
   * that is open at the application's bootstrap connects then; any other channel connects at its first call.
   * The application's shutdown closes the client unless `close()` was called before.
   *
   * @throws DiscoveryError `INVALID_OPTION`, `CLOSED`, `UNSUPPORTED_VERSION`
   */
  create(definition: ClientDefinition): ClientGrpcProxy {
    const { clientDefaults } = this.options;
    const place = clientPlace(definition);
    const own = validateClient(place, definition);
    const client = {
      ...clientDefaults,
      ...own,
      channelOptions: givenChannelOptions(clientDefaults, own),
    };
    if (this.closed) {
      throw new DiscoveryError('CLOSED', `client "${client.name}": the application has shut down`);
    }
    const service = client.service ?? client.name;
    const { scheme } = this.pool.registry;
    assertOneGrpc();
    installResolver(scheme);
    const options = { ...nestClientOptions(formatTarget(scheme, service), client), place };
    const proxy = new DiscoveredClient(options, (closed) => this.clients.delete(closed));
    const methods = catalogMethods(proxy.packages);
    this.retriedMethods.check(own, methods);
    this.warn(`Client "${own.name}"`, idleOptions(own));
    // Set only here: the service config needs the methods of the proto, which the constructor of the client
    // has loaded. Nest reads `channelOptions` when it makes the first channel.
    options.channelOptions = this.channelOptions(place, client, methods);
    proxy.hold(this.pool.acquire(service));
    this.clients.add(proxy);
    return proxy;
  }

  /** Connects the clients that are in use already, so that their first calls find a connection. */
  async onApplicationBootstrap(): Promise<void> {
    this.warn('clientDefaults', [
      ...idleOptions(this.options.clientDefaults),
      ...this.retriedMethods.unmatched.map((name) => `no client has a method "${name}" to retry`),
    ]);
    const channels = [...this.clients].flatMap((client) => client.openChannels);
    await Promise.all(channels.map((channel) => warmUp(channel, WARM_UP_TIMEOUT_MS)));
  }

  onApplicationShutdown(): void {
    this.closed = true;
    for (const client of this.clients) client.close();
  }

  private warn(where: string, texts: readonly string[]): void {
    for (const text of texts) this.logger.warn(`${where}: ${text}.`);
  }

  private channelOptions(
    place: string,
    client: ClientDefinition,
    methods: readonly CatalogedMethod[],
  ): ChannelOptions {
    const { loadBalancing, subsetSize, zone, timeoutMs, retry } = client;
    const traits = { clientId: this.clientId, subsetSize, zone };
    const options = validateLoadBalancing(`${place}.loadBalancing`, loadBalancing ?? {});
    const settings = createBalancerSettings(options, traits);
    const retries = createRetryConfig(retry ?? {}, methods);
    const interceptors = [
      ...(typeof options.hashKey === 'function' ? [createHashKeyInterceptor(options.hashKey)] : []),
      ...(client.waitForReady === true ? [waitForReady] : []),
    ];
    return withChannelDiscovery(
      {
        ...CHANNEL_DEFAULTS,
        // Limits the pings, unless the user sets `keepalive`: then the user knows which rate the servers
        // allow.
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
          methods,
        },
      },
    );
  }
}
