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
  /** What clients dial: `api` for `etcd:///api`. May be nested (`team/api`); no slash at the end. */
  readonly name: string;
  /**
   * How long the record outlives a process that dies, in seconds, 1–86,400. Default 10. etcd grants 2 at
   * least.
   */
  readonly ttlSeconds?: number;
  /**
   * The advertised address as a whole, `host:port`, e.g. of a port mapping. Default: the host and port that
   * were bound.
   */
  readonly address?: string;
  /** The advertised host alone; the port is the one that was bound. */
  readonly host?: string;
  /**
   * Which of the application's gRPC servers offer it, where not all do: the `url` of one as its options have
   * it, or a proto `package` of theirs. Each server has to be connected when the application starts. Default:
   * every gRPC server.
   */
  readonly server?: string;
  /** Share of calls relative to the other servers, above 0, up to 1,000,000. Default 1. */
  readonly weight?: number;
  readonly version?: string;
  /** The zone (failure domain) this server runs in. */
  readonly zone?: string;
  /**
   * The record's `Metadata`, as it is; JSON, and none of `weight`, `version`, `zone`, `maxConnectionAgeMs`,
   * `draining`. Default: `null`. Clients with grpc-go 1.38–1.41, 1.59 or 1.71 end with a panic when a list
   * with an object there changes.
   */
  readonly metadata?: { readonly [key: string]: JsonValue };
  /** The part of the key behind the service, free text. Default: the advertised address. */
  readonly key?: string;
  /**
   * How long the server goes on as usual after its record is out, for clients to notice, in milliseconds,
   * 0–600,000. Default 200. Of several services the longest counts.
   */
  readonly drainDelayMs?: number;
  /**
   * How long calls under way may then still run before they are ended with `UNAVAILABLE`, in milliseconds,
   * 0–3,600,000. Default 10,000. Of several services the longest counts.
   */
  readonly drainTimeoutMs?: number;
  /**
   * Connections are left at this age, so that long-lived streams spread over servers that came later, in
   * milliseconds, 100–86,400,000, ±10 %. Default: never. Of several services the shortest counts.
   */
  readonly maxConnectionAgeMs?: number;
  /**
   * How long calls may still run on a connection that is left, before they are ended with `UNAVAILABLE`, in
   * milliseconds, 0–86,400,000. Default 10,000. Of several services the longest counts.
   */
  readonly maxConnectionAgeGraceMs?: number;
}

/** A proto as `loadSync` of `@grpc/proto-loader` returns it. */
export type PackageDefinition = Parameters<typeof loadPackageDefinition>[0];

/** What all clients have in common unless they say otherwise. */
export interface ClientDefaults {
  /** How calls are spread: a policy's name, or a policy with options and modifiers. Default `round_robin`. */
  readonly loadBalancing?: LoadBalancingPolicy | (string & {}) | LoadBalancingOptions;
  /** Use so many endpoints only, 1–100,000, chosen so that clients together load all alike. Default: all. */
  readonly subsetSize?: number;
  /** The zone this client runs in: endpoints of it are called first. Default: zones make no difference. */
  readonly zone?: string;
  /** Deadline of calls that bring none, in milliseconds, 1–3,600,000. Default: none. */
  readonly timeoutMs?: number;
  /**
   * Which calls are tried again. Default: after `UNAVAILABLE`, methods whose proto declares them idempotent.
   * `false`: none but those that no server has begun.
   */
  readonly retry?: false | RetryOptions;
  /** Calls wait for a server, up to their deadline, instead of failing while there is none. Default false. */
  readonly waitForReady?: boolean;
  /**
   * HTTP/2 keepalive, in Nest's own form. Default: a ping after 20 s, 5 s for the answer, and no more pings
   * into silence than servers in Go bear: two, a third when a call is sent, then one in five minutes. Pings
   * that are set here, not by `channelOptions`, are sent as set.
   */
  readonly keepalive?: GrpcOptions['options']['keepalive'];
  /** Default: plain text. */
  readonly credentials?: ChannelCredentials;
  /**
   * Further options of grpc-js for the channel; none that `loadBalancing`, `retry` or `timeoutMs` are for
   * (`grpc.service_config`).
   */
  readonly channelOptions?: ChannelOptions;
  /** Options of the proto loader, in Nest's own form. */
  readonly loader?: GrpcOptions['options']['loader'];
  /** The package that loads protos. Default `@grpc/proto-loader`. */
  readonly protoLoader?: string;
  /** The largest answer, in bytes, 1 or more; -1: any. Default 4 MiB (grpc-js). */
  readonly maxReceiveMessageLength?: number;
  /** The largest request, in bytes, 1 or more; -1: any. Default: any. */
  readonly maxSendMessageLength?: number;
  /** Nest's option of that name. grpc-js 1.14 passes it over: Node's own limit for metadata holds. */
  readonly maxMetadataSize?: number;
}

/** One client to inject: `@InjectGrpcClient(name)`. */
export interface ClientDefinition extends ClientDefaults {
  /** What it is injected by. */
  readonly name: string;
  /** The service it dials. Default: its name. */
  readonly service?: string;
  /** The proto package, or packages; the empty text for a proto without one. */
  readonly package: string | string[];
  /**
   * The proto file, or files; a relative path counts from the working directory. Required, unless
   * `packageDefinition` takes its place.
   */
  readonly protoPath?: string | string[];
  /** A proto that is loaded already, in place of `protoPath`, `loader` and `protoLoader`. */
  readonly packageDefinition?: PackageDefinition;
}

/** What `DiscoveryModule.forRoot` takes; everything is optional. */
export interface DiscoveryModuleOptions {
  /**
   * The etcd cluster. Default: `hosts` from the environment variable `ETCD_HOSTS` (comma-separated), else
   * `http://127.0.0.1:2379`.
   */
  readonly etcd?: Partial<EtcdOptions>;
  /** A registry instead of etcd. It is closed with the application. */
  readonly registry?: Registry;
  /** What this application offers. Default: nothing, it is a client only. */
  readonly service?: ServiceOptions | readonly ServiceOptions[];
  /** Clients for the whole application, as `forFeature` makes them for one module. */
  readonly clients?: readonly ClientDefinition[];
  readonly clientDefaults?: ClientDefaults;
  /**
   * Whether the application can serve: asked before it registers, and at intervals; its records are out while
   * it cannot. Default: it can, unless it serves `grpc.health.v1` and that says otherwise.
   */
  readonly readiness?: ReadinessCheck | ReadinessOptions;
  /**
   * Serve `grpc.health.v1` on the application's gRPC servers; needs the package `grpc-health-check`. Default
   * false.
   */
  readonly health?: boolean;
  /**
   * Fail the start when the registry does not take the registration in time. Default false: it goes on
   * behind, as it always does after the start.
   */
  readonly failFast?: boolean;
  /**
   * When removals that look like the registry's fault are held, while the connections to the endpoints are
   * ready. Default: after the registry was away, or when half of a list goes within 10 s; at most 5 minutes.
   * `false`: never.
   */
  readonly removalGuard?: false | RemovalGuardOptions;
  /**
   * A file in which the last good lists are kept, so that a client starts and serves while the registry is
   * away. One per process. Default: none.
   */
  readonly snapshotFile?: string;
}

/** When a removal is held. Every field has a default. */
export interface RemovalGuardOptions {
  /**
   * How long a removal is held at most, in milliseconds, 0–86,400,000. The time starts anew when the registry
   * returns, and no hold expires while it is away. Default 300,000.
   */
  readonly maxHoldMs?: number;
  /**
   * The share of a list, 0–1, that is suspicious when it goes at once; two endpoints at least. Default 0.5.
   */
  readonly minShare?: number;
  /** What counts as at once, in milliseconds, 0–3,600,000. Default 10,000. */
  readonly windowMs?: number;
  /**
   * For how long after the registry was away every removal is suspicious, in milliseconds, 0–3,600,000.
   * Default 30,000.
   */
  readonly recoveryMs?: number;
}

/** Makes the options of a module that is configured asynchronously. */
export interface DiscoveryOptionsFactory {
  createDiscoveryOptions(): DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>;
}

/** What `DiscoveryModule.forRootAsync` takes: one of the three `use`s. */
export interface DiscoveryModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /** What `useFactory` is called with. */
  readonly inject?: readonly unknown[];
  readonly useFactory?: (
    // Nest resolves these at run time by `inject`; their types are the factory's own affair.
    ...dependencies: never[]
  ) => DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>;
  readonly useClass?: Type<DiscoveryOptionsFactory>;
  readonly useExisting?: Type<DiscoveryOptionsFactory>;
}
