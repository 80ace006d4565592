/**
 * gRPC's name resolver for a registry: it turns `etcd:///api` into the endpoints of `api` and follows their
 * changes as long as the channel lives.
 */
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
import type { DirectoryPool, DirectoryUse } from '../../registry/directory/directory-pool.js';
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
 * Traits of a plain channel without a service config: the service decides everything. The random id gives
 * each process a different subset if the service asks for one.
 */
const PLAIN_TRAITS = { clientId: crypto.randomUUID(), subsetSize: undefined, zone: undefined };
const DEFAULT_CONFIG = createServiceConfig(createBalancerSettings({}, PLAIN_TRAITS));
/** A plain channel has no proto: the kinds of its methods are unknown. */
const UNKNOWN_METHODS = { unaries: new Set<string>(), streams: new Set<string>() };
const ALL_CHOICES: ChannelChoices = {
  balancing: PLAIN_TRAITS,
  retries: true,
  timeouts: true,
  waitForReady: true,
  ...UNKNOWN_METHODS,
};
/** The choices of a channel whose client decides everything. */
const NO_CHOICES: ChannelChoices = {
  balancing: undefined,
  retries: false,
  timeouts: false,
  waitForReady: false,
  ...UNKNOWN_METHODS,
};

/**
 * How long the first list waits for the service's config, in milliseconds. Both are read from the registry at
 * the same time.
 */
const CONFIG_WAIT_MS = 250;

/** Finds the directories of a scheme's registry, for a channel that carries no discovery. */
export type DefaultPool = (scheme: string) => DirectoryPool | undefined;

/** Gives one channel the endpoints and the service config of its target, and every change of them. */
export class RegistryResolver implements Resolver {
  private readonly config: ChannelConfig | null;
  private readonly list = new ResolvedList();
  private use: DirectoryUse | undefined;
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
      // A service config of the resolver would override the one that a plain channel was given.
      const own = options['grpc.service_config'] === undefined;
      this.config = own ? new ChannelConfig(DEFAULT_CONFIG, ALL_CHOICES) : null;
    }
  }

  /**
   * Called by the channel when it starts, when it leaves idleness, and as a hint that the list may be stale.
   */
  updateResolution(): void {
    if (this.use !== undefined) {
      this.use.directory.refresh();
      return;
    }
    try {
      const pool = channelDiscovery(this.options)?.pool ?? this.fallbackPool();
      this.use = pool.acquire(parseTarget(this.target));
    } catch (error) {
      const details = error instanceof Error ? error.message : String(error);
      queueMicrotask(() => this.fail(details));
      return;
    }
    const { use } = this;
    // The resolver answers later: within its own call of this method the channel is not ready for an answer.
    queueMicrotask(() => {
      if (this.use !== use) return;
      this.subscription = this.follow(use.directory);
    });
  }

  /** Called when the channel goes idle or is closed; `updateResolution` may start the resolver again. */
  destroy(): void {
    this.subscription?.unsubscribe();
    this.subscription = undefined;
    this.use?.release();
    this.use = undefined;
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
      `no registry is registered for scheme "${scheme}"; call registerDiscoveryResolver(registry) first`,
    );
  }

  /**
   * Reports the list together with the service's config, and every change of either. The first list waits for
   * the config, but no longer than `CONFIG_WAIT_MS`.
   */
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
    const directory = this.use?.directory;
    if (directory === undefined) return;
    const { service, registry } = directory;
    const place = registry.describe(service);
    if (endpoints === undefined) {
      if (error === undefined) return;
      this.fail(`service "${service}" cannot be resolved from ${place}: ${error.message}`);
      return;
    }
    // gRPC's own policies connect to every endpoint of a list, and begin anew with the next list: they get no
    // first page.
    if (this.config === null && isFirstPage(state)) return;
    const list = this.list.take(endpoints);
    const note = printableText(
      list.length > 0
        ? `${list.length} in ${place}${held.length === 0 ? '' : `, ${held.length} of them no longer listed there`}${clause(leftOut(directory.ignored))}`
        : `[NO_ENDPOINTS] service "${service}" has no endpoint in ${place}${whyNone(error, directory.ignored)}`,
    );
    // On an empty list gRPC's own policies let calls wait for ever; our balancer fails the calls with the
    // note.
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

/** Why a service has no endpoint, as the end of a sentence. */
function whyNone(error: DiscoveryError | undefined, ignored: readonly IgnoredGroup[]): string {
  const records = leftOut(ignored);
  if (error !== undefined) return `; last error: ${error.message}${clause(records)}`;
  return `; the registry answers, ${records ?? 'no server is registered'}`;
}

/** How many records the list leaves out, and why; `undefined`: no record is left out. */
function leftOut(ignored: readonly IgnoredGroup[]): string | undefined {
  const count = countIgnored(ignored);
  if (count === 0) return undefined;
  const groups = ignored.map((group) => `${group.count} ${describeIgnored(group)}`).join('; ');
  return `${count} ${count === 1 ? 'record is' : 'records are'} left out: ${groups}`;
}

function clause(text: string | undefined): string {
  return text === undefined ? '' : `; ${text}`;
}
