/** The gRPC name resolver over a registry: `etcd:///api` becomes the endpoints of `api`, for as long as the channel lives. */
import {
  type ChannelOptions,
  Metadata,
  type ServiceConfig,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import type { Subscription } from 'rxjs';
import { DiscoveryError } from '../core/discovery-error.js';
import { parseTarget, serviceAuthority } from '../core/target.js';
import type { DirectoryLease, DirectoryPool } from '../registry/directory-pool.js';
import type { DirectoryState } from '../registry/service-directory.js';
import { channelDiscovery } from './channel-discovery.js';
import { connectionAttributes } from './connection-reporting.js';
import {
  type GrpcUri,
  type Resolver,
  type ResolverListener,
  statusOrFromError,
  statusOrFromValue,
} from './grpc-experimental.js';
import { createBalancerSettings } from './policies.js';
import { resolvedEndpoint } from './resolved-endpoint.js';
import { createServiceConfig } from './service-config.js';

/** Balancing of a plain channel that has no service config of its own. */
const DEFAULT_SETTINGS = createBalancerSettings(
  {},
  { clientId: '', subsetSize: undefined, zone: undefined },
);

/** Finds the directories for a channel that carries none: those registered for the scheme. */
export type DefaultPool = (scheme: string) => DirectoryPool | undefined;

/** One channel's resolver. */
export class RegistryResolver implements Resolver {
  private readonly serviceConfig: ServiceConfig | null;
  private lease: DirectoryLease | undefined;
  private subscription: Subscription | undefined;

  constructor(
    private readonly target: GrpcUri,
    private readonly listener: ResolverListener,
    private readonly options: ChannelOptions,
    private readonly defaultPool: DefaultPool,
  ) {
    const chosen = channelDiscovery(options)?.serviceConfig;
    // A service config from here would win over the one that a plain client was given.
    const own = options['grpc.service_config'] === undefined;
    this.serviceConfig = chosen ?? (own ? createServiceConfig(DEFAULT_SETTINGS) : null);
  }

  /** Called by the channel to start, after idleness, and as a hint that the list may be stale. */
  updateResolution(): void {
    if (this.lease !== undefined) {
      this.lease.directory.refresh();
      return;
    }
    try {
      const pool = channelDiscovery(this.options)?.pool ?? this.fallbackPool();
      this.lease = pool.acquire(parseTarget(this.target));
    } catch (error) {
      const details = error instanceof Error ? error.message : String(error);
      queueMicrotask(() => this.fail(details));
      return;
    }
    const { lease } = this;
    // Never from within the channel's own call: it is not ready for an answer yet.
    queueMicrotask(() => {
      if (this.lease !== lease) return;
      this.subscription = lease.directory.state$.subscribe((state) => this.report(state));
    });
  }

  /** Called when the channel goes idle or is closed; it may be started again. */
  destroy(): void {
    this.subscription?.unsubscribe();
    this.subscription = undefined;
    this.lease?.release();
    this.lease = undefined;
  }

  static getDefaultAuthority(target: GrpcUri): string {
    try {
      return serviceAuthority(parseTarget(target));
    } catch {
      // The resolver itself reports what is wrong with the target.
      return 'invalid-target';
    }
  }

  private fallbackPool(): DirectoryPool {
    const scheme = this.target.scheme ?? '';
    const pool = this.defaultPool(scheme.toLowerCase());
    if (pool !== undefined) return pool;
    throw new DiscoveryError(
      'INVALID_TARGET',
      `no registry answers to scheme "${scheme}"; call registerDiscoveryResolver(registry) first`,
    );
  }

  private report({ endpoints, error }: DirectoryState): void {
    const directory = this.lease?.directory;
    if (directory === undefined) return;
    const { service, registry } = directory;
    const place = registry.describe(service);
    if (endpoints === undefined) {
      if (error === undefined) return;
      this.fail(`service "${service}" cannot be resolved from ${place}: ${error.message}`);
      return;
    }
    const list = endpoints.flatMap(resolvedEndpoint);
    const note =
      list.length > 0
        ? `${list.length} in ${place}`
        : error === undefined
          ? `[NO_ENDPOINTS] service "${service}" has no endpoint in ${place}; the registry answers, no server is registered`
          : `[NO_ENDPOINTS] service "${service}" has no endpoint in ${place}, as last heard: ${error.message}`;
    // gRPC's own policies let calls wait for ever on an empty list; ours fails them with the note.
    if (list.length === 0 && this.serviceConfig === null) this.fail(note);
    else {
      const attributes = connectionAttributes(directory.connections);
      this.listener(statusOrFromValue(list), attributes, this.config(), note);
    }
  }

  private fail(details: string): void {
    const failure: StatusObject = {
      code: status.UNAVAILABLE,
      details,
      metadata: new Metadata(),
    };
    this.listener(statusOrFromError(failure), {}, this.config(), details);
  }

  private config() {
    return this.serviceConfig === null ? null : statusOrFromValue(this.serviceConfig);
  }
}
