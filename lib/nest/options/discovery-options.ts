/** The options of `DiscoveryModule`, as users write them. */
import type { ChannelCredentials, ChannelOptions, loadPackageDefinition } from '@grpc/grpc-js';
import type { ModuleMetadata, Type } from '@nestjs/common';
import type { GrpcOptions } from '@nestjs/microservices';
import type { JsonValue } from '../../core/records/endpoint.js';
import type { EtcdOptions } from '../../etcd/etcd-options.js';
import type { LoadBalancingOptions, LoadBalancingPolicy } from '../../grpc/balancer/policies.js';
import type { RetryOptions } from '../../grpc/service-config/retry-policy.js';
import type { Registry } from '../../registry/registry.js';
import type { ReadinessCheck, ReadinessOptions } from '../readiness-gate.js';

/** One service that this application offers and announces. */
export interface ServiceOptions {
  /** The name that clients dial: `api` for `etcd:///api`. May be nested (`team/api`); no slash at the end. */
  readonly name: string;
  /**
   * How long the registry keeps the record of a process that has died, in seconds, 1–86,400. Default 10. etcd
   * grants at least 2.
   */
  readonly ttlSeconds?: number;
  /**
   * The whole advertised address, `host:port`, for example the outer side of a port mapping. Default: the
   * bound host and port; for a wildcard host `POD_IP` or an address of this machine.
   */
  readonly address?: string;
  /** The advertised host; the advertised port is the one that was bound. Default: as for `address`. */
  readonly host?: string;
  /**
   * Which gRPC servers of the application offer this service: the `url` of one server, as written in its
   * options, or a proto `package`, which stands for every server with that package. Each of these servers
   * must be connected when the application starts. Default: every gRPC server.
   */
  readonly server?: string;
  /** This server's share of calls relative to the other servers, above 0, up to 1,000,000. Default 1. */
  readonly weight?: number;
  /** The version of this server, which clients can match for routing. Default: none. */
  readonly version?: string;
  /** The zone (failure domain) in which this server runs. Default: none. */
  readonly zone?: string;
  /**
   * The `Metadata` of the record: a JSON object without the names `weight`, `version`, `zone`,
   * `maxConnectionAgeMs` and `draining`. Default: `null`. With an object here, clients with grpc-go
   * 1.38–1.41, 1.59 or 1.71 panic when their list changes.
   */
  readonly metadata?: { readonly [key: string]: JsonValue };
  /**
   * The last part of the record's key, after the service name; free text. Default: the advertised address.
   */
  readonly key?: string;
  /**
   * How long the server continues to serve after its record was removed, so that clients can notice the
   * removal, in milliseconds, 0–600,000. Default 200. Of several services the longest delay counts.
   */
  readonly drainDelayMs?: number;
  /**
   * How long calls under way may run after `drainDelayMs` before they are ended with `UNAVAILABLE`, in
   * milliseconds, 0–3,600,000. Default 10,000. Of several services the longest time counts.
   */
  readonly drainTimeoutMs?: number;
  /**
   * The age at which the server asks clients to leave a connection (GOAWAY), in milliseconds, 100–86,400,000,
   * ±10 %. Long-lived streams thereby spread over servers that were added later. Default: never. Of several
   * services the lowest age counts.
   */
  readonly maxConnectionAgeMs?: number;
  /**
   * How long calls may still run on a connection that has reached `maxConnectionAgeMs`, before they are ended
   * with `UNAVAILABLE`, in milliseconds, 0–86,400,000. Default 10,000. Of several services the longest time
   * counts.
   */
  readonly maxConnectionAgeGraceMs?: number;
}

/** A proto as `loadSync` of `@grpc/proto-loader` returns it. */
export type PackageDefinition = Parameters<typeof loadPackageDefinition>[0];

/** Options that all clients share. An option in a client's own definition takes precedence. */
export interface ClientDefaults {
  /**
   * How calls are distributed: a policy's name, or a policy with options and modifiers. Default
   * `round_robin`.
   */
  readonly loadBalancing?: LoadBalancingPolicy | (string & {}) | LoadBalancingOptions;
  /**
   * How many endpoints this client uses at most, 1–100,000. They are chosen so that all clients together load
   * all endpoints alike. Default: all endpoints.
   */
  readonly subsetSize?: number;
  /**
   * The zone in which this client runs: it calls endpoints of this zone first. Default: zones make no
   * difference.
   */
  readonly zone?: string;
  /** The deadline of calls that set none, in milliseconds, 1–3,600,000. Default: none. */
  readonly timeoutMs?: number;
  /**
   * Which calls are retried. Default: those that fail with `UNAVAILABLE` and whose method the proto declares
   * idempotent. `false`: only calls that no server has begun.
   */
  readonly retry?: false | RetryOptions;
  /**
   * Whether calls wait for a server, up to their deadline, instead of failing while there is none. Default
   * false.
   */
  readonly waitForReady?: boolean;
  /**
   * HTTP/2 keepalive pings, in Nest's own form. Default: a ping after 20 s, and 5 s for the answer. While the
   * server sends no messages, the default sends no more pings than servers in Go accept: two, a third when a
   * call is sent, then one in five minutes. Pings that are set here (not in `channelOptions`) are sent
   * without this limit.
   */
  readonly keepalive?: GrpcOptions['options']['keepalive'];
  /** The channel's credentials. Default: plain text, without TLS. */
  readonly credentials?: ChannelCredentials;
  /**
   * Further options of grpc-js for the channel, except `grpc.service_config`: use `loadBalancing`, `retry`
   * and `timeoutMs` instead.
   */
  readonly channelOptions?: ChannelOptions;
  /** Options of the proto loader, in Nest's own form. */
  readonly loader?: GrpcOptions['options']['loader'];
  /** The package that loads protos. Default `@grpc/proto-loader`. */
  readonly protoLoader?: string;
  /**
   * The largest response that the client accepts, in bytes, at least 1; -1: no limit. Default 4 MiB
   * (grpc-js).
   */
  readonly maxReceiveMessageLength?: number;
  /** The largest request that the client sends, in bytes, at least 1; -1: no limit. Default: no limit. */
  readonly maxSendMessageLength?: number;
  /** Nest's option of this name. It has no effect: grpc-js 1.14 ignores it, and Node's own limit applies. */
  readonly maxMetadataSize?: number;
}

/** The definition of one client, which `@InjectGrpcClient(name)` injects. */
export interface ClientDefinition extends ClientDefaults {
  /** The name under which the client is injected. */
  readonly name: string;
  /** The service that the client dials. Default: the client's name. */
  readonly service?: string;
  /** The proto package, or several; an empty string for a proto without a package. */
  readonly package: string | string[];
  /**
   * The proto file, or several; relative paths count from the working directory. Required unless
   * `packageDefinition` is given.
   */
  readonly protoPath?: string | string[];
  /** A proto that is loaded already; it replaces `protoPath`, `loader` and `protoLoader`. */
  readonly packageDefinition?: PackageDefinition;
}

/** The options of `DiscoveryModule.forRoot`; all are optional. */
export interface DiscoveryModuleOptions {
  /**
   * How to reach the etcd cluster. Default of `hosts`: the environment variable `ETCD_HOSTS`
   * (comma-separated), else `http://127.0.0.1:2379`.
   */
  readonly etcd?: Partial<EtcdOptions>;
  /** A registry to use instead of etcd. The application closes it at its shutdown. */
  readonly registry?: Registry;
  /** The services that this application offers. Default: none; the application is only a client. */
  readonly service?: ServiceOptions | readonly ServiceOptions[];
  /** Clients that the whole application can inject; those of `forFeature` belong to one module. */
  readonly clients?: readonly ClientDefinition[];
  /** Options that all clients share, those of `forFeature` included. */
  readonly clientDefaults?: ClientDefaults;
  /**
   * Whether the application can serve. The check runs before the application registers, and then at
   * intervals; while the application cannot serve, its records are removed. Default: the application can
   * serve, unless its own `grpc.health.v1` service answers that it cannot.
   */
  readonly readiness?: ReadinessCheck | ReadinessOptions;
  /**
   * Whether to serve `grpc.health.v1` on the application's gRPC servers; needs the package
   * `grpc-health-check`. Default false.
   */
  readonly health?: boolean;
  /**
   * Whether the start fails when the registry does not accept the registration in time. Default false:
   * registration continues in the background, as it always does after the start.
   */
  readonly failFast?: boolean;
  /**
   * Which removals are held, because they look like a fault of the registry. The endpoint of a held removal
   * stays in use while its connection is ready. Default: removals after the registry was away, and removals
   * of half of a list within 10 s; each for 5 minutes at most. `false`: none.
   */
  readonly removalGuard?: false | RemovalGuardOptions;
  /**
   * A file that keeps the last good endpoint lists, so that a client can start and call while the registry is
   * away. Every process needs a file of its own. Default: none.
   */
  readonly snapshotFile?: string;
}

/** When removals are held, and for how long. Every field has a default. */
export interface RemovalGuardOptions {
  /**
   * How long a removal is held at most, in milliseconds, 0–86,400,000. The time starts anew when the registry
   * returns, and no hold expires while it is away. Default 300,000.
   */
  readonly maxHoldMs?: number;
  /**
   * A share of a list, 0–1. Removals within `windowMs` are suspicious if together they are at least this
   * share and at least two endpoints. Default 0.5.
   */
  readonly minShare?: number;
  /**
   * The time within which removals count together for `minShare`, in milliseconds, 0–3,600,000. Default
   * 10,000.
   */
  readonly windowMs?: number;
  /**
   * How long every removal is suspicious after the registry has returned, in milliseconds, 0–3,600,000.
   * Default 30,000.
   */
  readonly recoveryMs?: number;
}

/** Makes the module's options, for `useClass` and `useExisting` of `forRootAsync`. */
export interface DiscoveryOptionsFactory {
  createDiscoveryOptions(): DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>;
}

/** The options of `DiscoveryModule.forRootAsync`: exactly one of `useFactory`, `useClass`, `useExisting`. */
export interface DiscoveryModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /** The injection tokens of the arguments of `useFactory`. */
  readonly inject?: readonly unknown[];
  readonly useFactory?: (
    // Nest resolves the arguments at run time by `inject`, so a factory may declare any types for them.
    ...dependencies: never[]
  ) => DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>;
  readonly useClass?: Type<DiscoveryOptionsFactory>;
  readonly useExisting?: Type<DiscoveryOptionsFactory>;
}
