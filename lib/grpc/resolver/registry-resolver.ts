/** The gRPC name resolver over a registry: `etcd:///api` becomes the endpoints of `api`, for as long as the channel lives. */
import { type ChannelOptions, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { first, Subscription } from 'rxjs';
import { DiscoveryError } from '../../core/discovery-error.js';
import {
  countIgnored,
  describeIgnored,
  type IgnoredGroup,
} from '../../core/records/ignored-records.js';
import { printableText } from '../../core/printable-text.js';
import { parseTarget, serviceAuthority } from '../../core/target.js';
import type { DirectoryLease, DirectoryPool } from '../../registry/directory/directory-pool.js';
import type {
  DirectoryState,
  ServiceDirectory,
} from '../../registry/directory/service-directory.js';
import { systemClock } from '../../registry/system-clock.js';
import { ChannelConfig, type ChannelChoices } from '../service-config/channel-config.js';
import { channelDiscovery } from './channel-discovery.js';
import { connectionAttributes } from '../balancer/connection-reporting.js';
import {
  CONFIG_SELECTOR,
  type GrpcUri,
  type Resolver,
  type ResolverListener,
  statusOrFromError,
  statusOrFromValue,
} from '../grpc-js/grpc-experimental.js';
import { isFirstPage, listAttributes } from '../list-facts.js';
import { createBalancerSettings } from '../balancer/policies.js';
import { ResolvedList } from '../resolved-endpoint.js';
import { createServiceConfig } from '../service-config/service-config.js';

/**
 * A plain channel that has no service config of its own: everything is up to the service. Named, so that a subset which the service
 * asks for is another one in every process.
 */
const PLAIN_TRAITS = { clientId: crypto.randomUUID(), subsetSize: undefined, zone: undefined };
const DEFAULT_CONFIG = createServiceConfig(createBalancerSettings({}, PLAIN_TRAITS));
/** A plain channel has no proto. */
const UNKNOWN_METHODS = { unaries: new Set<string>(), streams: new Set<string>() };
const ALL_CHOICES: ChannelChoices = {
  balancing: PLAIN_TRAITS,
  retries: true,
  timeouts: true,
  waitForReady: true,
  ...UNKNOWN_METHODS,
};
/** A channel that decides everything itself. */
const NO_CHOICES: ChannelChoices = {
  balancing: undefined,
  retries: false,
  timeouts: false,
  waitForReady: false,
  ...UNKNOWN_METHODS,
};

/** How long a list waits for the service's config, in milliseconds: it comes from the same place at the same time. */
const CONFIG_WAIT_MS = 250;

/** Finds the directories for a channel that carries none: those registered for the scheme. */
export type DefaultPool = (scheme: string) => DirectoryPool | undefined;

/** One channel's resolver. */
export class RegistryResolver implements Resolver {
  private readonly config: ChannelConfig | null;
  private readonly list = new ResolvedList();
  private lease: DirectoryLease | undefined;
  private subscription: Subscription | undefined;

  constructor(
    private readonly target: GrpcUri,
    private readonly listener: ResolverListener,
    private readonly options: ChannelOptions,
    private readonly defaultPool: DefaultPool,
  ) {
    const discovery = channelDiscovery(options);
    if (discovery !== undefined) {
      this.config = new ChannelConfig(discovery.serviceConfig, discovery.choices ?? NO_CHOICES);
    } else {
      // A service config from here would win over the one that a plain client was given.
      const own = options['grpc.service_config'] === undefined;
      this.config = own ? new ChannelConfig(DEFAULT_CONFIG, ALL_CHOICES) : null;
    }
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
      this.subscription = this.follow(lease.directory);
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

  /** The list under the service's config, and every change of either. The config is waited for, a moment. */
  private follow({ serviceConfig, state$ }: ServiceDirectory): Subscription {
    const { config } = this;
    const report = (state: DirectoryState) => this.report(state);
    if (config === null) return state$.subscribe(report);
    const following = new Subscription();
    let begun = false;
    const begin = (): void => {
      if (begun) state$.pipe(first()).subscribe(report);
      else following.add(state$.subscribe(report));
      begun = true;
    };
    following.add(systemClock.setTimer(CONFIG_WAIT_MS, () => (begun ? undefined : begin())));
    following.add(
      serviceConfig.text$.subscribe((text) => {
        const reason = config.follow(text);
        if (reason !== undefined) serviceConfig.reject(text ?? '', reason, config.isPublished);
        else if (config.unknownNames !== undefined) {
          serviceConfig.question(text ?? '', config.unknownNames);
        }
        if (reason === undefined || !begun) begin();
      }),
    );
    return following;
  }

  private report(state: DirectoryState): void {
    const { endpoints, error, held = [] } = state;
    const directory = this.lease?.directory;
    if (directory === undefined) return;
    const { service, registry } = directory;
    const place = registry.describe(service);
    if (endpoints === undefined) {
      if (error === undefined) return;
      this.fail(`service "${service}" cannot be resolved from ${place}: ${error.message}`);
      return;
    }
    // gRPC's own policies connect to whatever they are given, and begin anew with every list.
    if (this.config === null && isFirstPage(state)) return;
    const list = this.list.take(endpoints);
    const note = printableText(
      list.length > 0
        ? `${list.length} in ${place}${held.length === 0 ? '' : `, ${held.length} of them no longer listed there`}${clause(leftOut(directory.ignored))}`
        : `[NO_ENDPOINTS] service "${service}" has no endpoint in ${place}${whyNone(error, directory.ignored)}`,
    );
    // gRPC's own policies let calls wait for ever on an empty list; ours fails them with the note.
    if (list.length === 0 && this.config === null) this.fail(note);
    else {
      const attributes = {
        ...connectionAttributes(directory.connections),
        ...listAttributes(state),
        ...this.selector(),
      };
      this.listener(statusOrFromValue(list), attributes, this.serviceConfig(), note);
    }
  }

  private fail(text: string): void {
    const details = printableText(text);
    const failure: StatusObject = {
      code: status.UNAVAILABLE,
      details,
      metadata: new Metadata(),
    };
    this.listener(statusOrFromError(failure), this.selector(), this.serviceConfig(), details);
  }

  private serviceConfig() {
    return this.config === null ? null : statusOrFromValue(this.config.serviceConfig);
  }

  private selector(): Record<string, unknown> {
    return this.config === null ? {} : { [CONFIG_SELECTOR]: this.config.selector };
  }
}

/** The end of a sentence which says that there is no endpoint. */
function whyNone(error: DiscoveryError | undefined, ignored: readonly IgnoredGroup[]): string {
  const records = leftOut(ignored);
  if (error !== undefined) return `, as last heard: ${error.message}${clause(records)}`;
  return `; the registry answers, ${records ?? 'no server is registered'}`;
}

/** How many records the list leaves out, and why; `undefined`: none. */
function leftOut(ignored: readonly IgnoredGroup[]): string | undefined {
  const count = countIgnored(ignored);
  if (count === 0) return undefined;
  const groups = ignored.map((group) => `${group.count} ${describeIgnored(group)}`).join('; ');
  return `${count} ${count === 1 ? 'record is' : 'records are'} left out: ${groups}`;
}

function clause(text: string | undefined): string {
  return text === undefined ? '' : `; ${text}`;
}
