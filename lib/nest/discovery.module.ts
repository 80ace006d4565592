/** The composition root: makes the parts of the library from the options and gives them to Nest. */
import {
  type DynamicModule,
  Inject,
  Logger,
  Module,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { EtcdRegistry } from '../etcd/etcd-registry.js';
import { DirectoryPool } from '../registry/directory/directory-pool.js';
import { Registry } from '../registry/registry.js';
import { systemClock } from '../registry/system-clock.js';
import { ApplicationReadiness } from './server/application-readiness.service.js';
import { closeRegistry } from './shutdown/close-registry.js';
import { DiscoveryLifecycleModule } from './discovery-lifecycle.module.js';
import { DiscoveryLogger } from './discovery-logger.service.js';
import type {
  ClientDefinition,
  DiscoveryModuleAsyncOptions,
  DiscoveryModuleOptions,
  DiscoveryOptionsFactory,
} from './options/discovery-options.js';
import { DISCOVERY_OPTIONS } from './discovery.tokens.js';
import { ForceSignal } from './shutdown/force-signal.js';
import { GrpcClientFactory } from './client/grpc-client.factory.js';
import { ServiceRegistrar } from './server/grpc-registrar.service.js';
import { GrpcServers } from './server/grpc-servers.service.js';
import { getGrpcClientToken } from './client/inject-grpc-client.decorator.js';
import { optionReader } from './options/option-reader.js';
import { SnapshotFile } from './snapshot/snapshot-file.js';
import { snapshotOrigin } from './snapshot/snapshot-origin.js';
import { validateClients } from './options/validate-clients.js';
import { type ResolvedOptions, validateOptions } from './options/validate-options.js';

/**
 * gRPC service registration, discovery and client-side load balancing. Import `forRoot` (or `forRootAsync`)
 * once, in the root module; `forFeature` wherever clients are injected.
 */
@Module({})
export class DiscoveryModule implements OnApplicationShutdown {
  constructor(
    @Inject(Registry) private readonly registry: Registry,
    @Inject(DiscoveryLogger) private readonly logger: DiscoveryLogger,
    @Inject(GrpcServers) private readonly servers: GrpcServers,
    @Inject(SnapshotFile) private readonly snapshots: SnapshotFile | null,
    @Inject(ForceSignal) private readonly force: ForceSignal,
  ) {}

  /**
   * The global module, for the root module of the application.
   *
   * @throws DiscoveryError `INVALID_OPTION`, at once and before anything is dialled
   */
  static forRoot(options: DiscoveryModuleOptions = {}): DynamicModule {
    const resolved = validateOptions(options, process.env);
    const clients = resolved.clients.map(clientProvider);
    return rootModule([{ provide: DISCOVERY_OPTIONS, useValue: resolved }, ...clients], clients);
  }

  /**
   * The global module with options that a factory makes at start. These options cannot contain `clients`,
   * because Nest must know what can be injected before it calls the factory: use `forFeature`.
   */
  static forRootAsync(options: DiscoveryModuleAsyncOptions): DynamicModule {
    const module = rootModule(asyncOptions(options), []);
    return { ...module, imports: [...(options.imports ?? []), ...(module.imports ?? [])] };
  }

  /**
   * Makes one injectable client per definition, in the importing module.
   *
   * @throws DiscoveryError `INVALID_OPTION`
   */
  static forFeature(definitions: readonly ClientDefinition[]): DynamicModule {
    const providers = validateClients('forFeature', definitions).map(clientProvider);
    return { module: DiscoveryFeatureModule, providers, exports: providers };
  }

  /** Nest calls the shutdown hook of this module last: no other module needs the registry after it. */
  async onApplicationShutdown(): Promise<void> {
    this.servers.unfollow();
    await this.force.during(closeRegistry(this.registry, this.force.signal));
    await this.snapshots?.flush();
    this.logger.stop();
  }
}

/** Holds the clients of one `forFeature`. */
@Module({})
class DiscoveryFeatureModule {}

function rootModule(options: Provider[], clients: Provider[]): DynamicModule {
  return {
    module: DiscoveryModule,
    global: true,
    imports: [DiscoveryLifecycleModule],
    providers: [
      ...options,
      {
        provide: Registry,
        inject: [DISCOVERY_OPTIONS],
        useFactory: ({ registry, etcd }: ResolvedOptions) =>
          registry ?? new EtcdRegistry(etcd ?? { hosts: [] }),
      },
      {
        provide: SnapshotFile,
        inject: [Registry, DISCOVERY_OPTIONS],
        useFactory: ({ scheme }: Registry, { etcd, snapshotFile }: ResolvedOptions) =>
          snapshotFile === undefined
            ? null
            : new SnapshotFile(snapshotFile, snapshotOrigin(scheme, etcd)),
      },
      {
        provide: DirectoryPool,
        inject: [Registry, DISCOVERY_OPTIONS, SnapshotFile],
        useFactory: (
          registry: Registry,
          { removalGuard }: ResolvedOptions,
          snapshots: SnapshotFile | null,
        ) =>
          new DirectoryPool(registry, {
            clock: systemClock,
            ...(removalGuard === undefined ? {} : { removalGuard }),
            ...(snapshots === null ? {} : { snapshots }),
          }),
      },
      { provide: ForceSignal, useFactory: createForceSignal },
      GrpcServers,
      ApplicationReadiness,
      ServiceRegistrar,
      GrpcClientFactory,
      DiscoveryLogger,
    ],
    exports: [Registry, DirectoryPool, ServiceRegistrar, GrpcClientFactory, ...clients],
  };
}

function createForceSignal(): ForceSignal {
  const logger = new Logger('DiscoveryModule');
  return new ForceSignal((signal) =>
    logger.warn(
      `${signal} while shutting down: the shutdown no longer waits, and ends the calls under way now.`,
    ),
  );
}

function clientProvider(definition: ClientDefinition): Provider {
  return {
    provide: getGrpcClientToken(definition.name),
    inject: [GrpcClientFactory],
    useFactory: (factory: GrpcClientFactory) => factory.create(definition),
  };
}

const ASYNC_WAYS = ['useFactory', 'useClass', 'useExisting'] as const;

function asyncOptions(options: DiscoveryModuleAsyncOptions): Provider[] {
  optionReader.fields('forRootAsync', options, ['imports', 'inject', ...ASYNC_WAYS]);
  if (ASYNC_WAYS.filter((way) => options[way] !== undefined).length > 1) {
    optionReader.reject('forRootAsync', Object.keys(options), `one of ${ASYNC_WAYS.join(', ')}`);
  }
  const { useFactory, useClass, useExisting } = options;
  if (useFactory !== undefined) {
    const factory = useFactory as (
      ...dependencies: unknown[]
    ) => DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>;
    return [
      {
        provide: DISCOVERY_OPTIONS,
        inject: [...((options.inject ?? []) as never[])],
        useFactory: async (...dependencies: unknown[]) =>
          resolveAsync(await factory(...dependencies)),
      },
    ];
  }
  const source = useExisting ?? useClass;
  if (source === undefined) {
    return optionReader.reject('forRootAsync', options, 'one of useFactory, useClass, useExisting');
  }
  return [
    {
      provide: DISCOVERY_OPTIONS,
      inject: [source],
      useFactory: async (factory: DiscoveryOptionsFactory) =>
        resolveAsync(await factory.createDiscoveryOptions()),
    },
    ...(useClass === undefined ? [] : [useClass]),
  ];
}

function resolveAsync(given: DiscoveryModuleOptions): ResolvedOptions {
  const resolved = validateOptions(given, process.env);
  if (resolved.clients.length > 0) {
    optionReader.reject('clients', 'given to forRootAsync', 'none; use DiscoveryModule.forFeature');
  }
  return resolved;
}
