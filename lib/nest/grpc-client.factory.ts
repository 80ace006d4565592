/** Makes Nest's gRPC clients out of service names. */
import type { ChannelOptions } from '@grpc/grpc-js';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ClientGrpcProxy } from '@nestjs/microservices';
import { DiscoveryError } from '../core/discovery-error.js';
import { formatTarget } from '../core/target.js';
import { withChannelDiscovery } from '../grpc/channel-discovery.js';
import { createDefaultDeadline } from '../grpc/default-deadline.js';
import { createBalancerSettings } from '../grpc/policies.js';
import { installResolver } from '../grpc/resolver-table.js';
import { createServiceConfig } from '../grpc/service-config.js';
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

/** Creates clients and closes them with the application. */
@Injectable()
export class GrpcClientFactory implements OnApplicationShutdown {
  private readonly clients = new Set<ClientGrpcProxy>();
  private readonly leases = new Set<DirectoryLease>();
  /** What tells this process from the other clients of a service, for subsets. */
  private readonly clientId = crypto.randomUUID();
  private closed = false;

  constructor(
    @Inject(DISCOVERY_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(DirectoryPool) private readonly pool: DirectoryPool,
  ) {}

  /**
   * A client for a service. Its list of endpoints is followed from now on; connections are made by the first call. It is
   * closed with the application.
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
    const {
      loadBalancing = {},
      subsetSize,
      zone,
      timeoutMs,
      keepalive,
      credentials,
      loader,
    } = client;
    const interceptors =
      timeoutMs === undefined ? {} : { interceptors: [createDefaultDeadline(timeoutMs)] };
    const settings = createBalancerSettings(
      validateLoadBalancing('client.loadBalancing', loadBalancing),
      {
        clientId: this.clientId,
        subsetSize,
        zone,
      },
    );
    const proxy = new ClientGrpcProxy({
      url: formatTarget(scheme, service),
      package: client.package,
      protoPath: client.protoPath,
      channelOptions: withChannelDiscovery(
        { ...CHANNEL_DEFAULTS, ...interceptors, ...client.channelOptions },
        { pool: this.pool, serviceConfig: createServiceConfig(settings) },
      ),
      ...(keepalive === undefined ? {} : { keepalive }),
      ...(credentials === undefined ? {} : { credentials }),
      ...(loader === undefined ? {} : { loader }),
    });
    this.leases.add(this.pool.acquire(service));
    this.clients.add(proxy);
    return proxy;
  }

  onApplicationShutdown(): void {
    this.closed = true;
    for (const client of this.clients) client.close();
    for (const lease of this.leases) lease.release();
    this.clients.clear();
    this.leases.clear();
  }
}
