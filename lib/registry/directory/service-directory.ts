/**
 * The list of endpoints that clients of one service should use: fed by a registry, shared by all channels. It
 * keeps the last good list while the registry is away, holds removals that look like the registry's fault,
 * publishes the first change at once and coalesces those that follow closely.
 */
import { BehaviorSubject, type Observable } from 'rxjs';
import type { CancelTimer, Clock } from '../../core/clock.js';
import type { DiscoveryError } from '../../core/discovery-error.js';
import type { DirectoryEvent } from '../../core/discovery-event.js';
import type { Endpoint } from '../../core/records/endpoint.js';
import type { IgnoredGroup } from '../../core/records/ignored-records.js';
import type { RegistryUpdate } from '../../core/snapshot/registry-update.js';
import type { RemovalGuardPolicy } from '../../core/snapshot/removal-guard.js';
import { EndpointStore } from '../../core/snapshot/endpoint-store.js';
import { diffAddresses, sameEndpoints } from '../../core/snapshot/snapshot.js';
import type { ConnectionReports } from './connection-reports.js';
import { GuardedList } from './guarded-list.js';
import { KeptWatch } from '../kept-watch.js';
import type { Registry } from '../registry.js';
import { ServiceConfigFeed } from './service-config-feed.js';
import type { SnapshotStore } from './snapshot-store.js';

/** What a directory knows. */
export interface DirectoryState {
  /** The endpoints to use, one per address; `undefined` until the registry has answered once. */
  readonly endpoints: readonly Endpoint[] | undefined;
  /** The last failure of the registry since its last answer; `endpoints` stays in use. */
  readonly error: DiscoveryError | undefined;
  /** The addresses in `endpoints` that the registry no longer lists; absent if there are none. */
  readonly held?: readonly string[];
  /**
   * Present while the endpoints come from a kept list of an earlier process: when the registry confirmed them
   * last, in milliseconds since 1970.
   */
  readonly savedAt?: number;
  /** Present while the endpoints are the first page of a long list; the whole list follows. */
  readonly isPart?: true;
}

/** What a directory needs besides its registry. */
export interface DirectoryOptions {
  readonly clock: Clock;
  /**
   * How long changes are coalesced after one was published, in milliseconds; longer if publishing took long
   * ({@link GATHER_PER_PUBLISH}). Default 50.
   */
  readonly debounceMs?: number;
  /** When removals are held. Default: never. */
  readonly removalGuard?: RemovalGuardPolicy;
  /** The store that keeps the list for the next process. Default: none. */
  readonly snapshots?: SnapshotStore;
  readonly onEvent?: (event: DirectoryEvent) => void;
}

/** The default of {@link DirectoryOptions.debounceMs}. */
const DEFAULT_DEBOUNCE_MS = 50;
/**
 * Changes are coalesced for at least this many times the duration of the last publication: a list that
 * changes all the time, however long, then costs its clients at most 2 % of their time.
 */
export const GATHER_PER_PUBLISH = 50;
/**
 * The longest time for which changes are coalesced by {@link GATHER_PER_PUBLISH}, in milliseconds: a process
 * that was suspended during a publication must not keep an old list for minutes.
 */
export const MAX_GATHER_MS = 5_000;
/**
 * How long the directory waits for the registry before it uses the kept list, in milliseconds. After a
 * failure of the registry it uses the kept list at once.
 */
export const SNAPSHOT_WAIT_MS = 500;

const NOTHING_IGNORED: readonly IgnoredGroup[] = [];

/** One service's list. Follows its registry from `start` to `stop`. */
export class ServiceDirectory {
  /** The addresses to which the service's channels have ready connections. */
  readonly connections: ConnectionReports;
  /** The service config of the service. */
  readonly serviceConfig: ServiceConfigFeed;
  private readonly subject = new BehaviorSubject<DirectoryState>({
    endpoints: undefined,
    error: undefined,
  });
  private readonly list: GuardedList;
  private watch: KeptWatch | undefined;
  private cancelDebounce: CancelTimer | undefined;
  private cancelSnapshot: CancelTimer | undefined;
  private leftOut = NOTHING_IGNORED;
  /** The ignored records as they were when the last list was published. */
  private leftOutBefore = NOTHING_IGNORED;
  /** Something changed since the last list was published. */
  private pending = false;
  /** The registry sent a whole list since the last list was published. */
  private listed = false;

  constructor(
    readonly registry: Registry,
    readonly service: string,
    private readonly options: DirectoryOptions,
  ) {
    const { clock, removalGuard, onEvent } = options;
    this.serviceConfig = new ServiceConfigFeed(registry, service, onEvent);
    this.list = new GuardedList({
      service,
      clock,
      policy: registry.removalsAreFinal ? undefined : removalGuard,
      onEvent,
      onReleased: () => this.changed(),
    });
    this.connections = this.list.connections;
  }

  get state(): DirectoryState {
    return this.subject.value;
  }

  /** The records of the service that the registry leaves out, because no client could dial them. */
  get ignored(): readonly IgnoredGroup[] {
    return this.leftOut;
  }

  /** The current state, then every change of it. Identical lists are not repeated. */
  get state$(): Observable<DirectoryState> {
    return this.subject.asObservable();
  }

  start(): void {
    if (this.watch !== undefined) return;
    const { clock, snapshots } = this.options;
    if (snapshots !== undefined && this.state.endpoints === undefined) {
      this.cancelSnapshot = clock.setTimer(SNAPSHOT_WAIT_MS, () => this.remember());
    }
    this.list.start();
    const keep = (update: RegistryUpdate): void => this.apply(update);
    this.watch = new KeptWatch(this.registry, this.service, clock, keep);
  }

  stop(): void {
    this.watch?.stop();
    this.watch = undefined;
    this.list.stop();
    this.cancelDebounce?.();
    this.cancelSnapshot?.();
    this.cancelDebounce = this.cancelSnapshot = undefined;
  }

  /** Passes the registry a hint that the list may be stale. */
  refresh(): void {
    this.registry.refresh(this.service);
  }

  private apply(update: RegistryUpdate): void {
    if (update.kind === 'reset' && update.isPart === true) {
      this.begin(new EndpointStore(update.snapshot).usable);
      return;
    }
    if (update.kind === 'failure') {
      this.remember();
      this.list.apply(update);
      this.subject.next({ ...this.state, error: update.error });
      return;
    }
    this.cancelSnapshot?.();
    if (update.kind === 'reset') this.listed = true;
    this.leftOut = update.ignored ?? NOTHING_IGNORED;
    this.list.apply(update);
    this.changed();
  }

  /**
   * Publishes the first page of a list only while no whole list, from the registry or a snapshot, is in use.
   */
  private begin(endpoints: readonly Endpoint[]): void {
    if (this.knowsList || endpoints.length === 0) return;
    this.subject.next({ endpoints, error: undefined, isPart: true });
  }

  /** Whether a whole list is in use, from the registry or a snapshot. */
  private get knowsList(): boolean {
    return this.state.endpoints !== undefined && this.state.isPart === undefined;
  }

  /** Uses the kept list, unless a whole list is in use already. */
  private remember(): void {
    this.cancelSnapshot?.();
    const { snapshots, onEvent } = this.options;
    if (snapshots === undefined || this.knowsList) return;
    const stored = snapshots.load(this.service);
    if (stored === undefined) return;
    const { snapshot, savedAt } = stored;
    this.list.remember(snapshot);
    const endpoints = this.list.usable;
    this.subject.next({ endpoints, error: this.state.error, savedAt });
    onEvent?.({ type: 'snapshot-used', service: this.service, total: endpoints.length, savedAt });
  }

  private changed(): void {
    this.pending = true;
    if (this.cancelDebounce === undefined) this.publish();
  }

  private publish(): void {
    this.cancelDebounce = undefined;
    if (!this.pending) return;
    this.pending = false;
    const { clock, snapshots } = this.options;
    const startedMs = clock.now();
    const { endpoints, error, held: heldBefore = [], savedAt, isPart } = this.state;
    const before = isPart === true ? undefined : endpoints;
    const { list } = this;
    const listed = list.usable;
    const same = before !== undefined && sameEndpoints(before, listed);
    const { held } = list;
    // A hold that ends while the registry is away changes the list; the error stays.
    const failure = list.isAway ? error : undefined;
    const isNews = !same || failure !== error || savedAt !== undefined;
    // While the list is empty, the errors of calls name the ignored records: a change of those is published
    // too.
    const isExplained = listed.length > 0 || this.leftOut === this.leftOutBefore;
    this.leftOutBefore = this.leftOut;
    if (isNews || !isExplained || held.join() !== heldBefore.join()) {
      this.subject.next({
        endpoints: same ? before : listed,
        error: failure,
        ...(held.length === 0 ? {} : { held }),
      });
    }
    const isConfirmed = this.listed && held.length === 0;
    this.listed = false;
    if (same) {
      if (isConfirmed) snapshots?.confirm(this.service);
      if (!isExplained) this.gather(startedMs);
      return;
    }
    snapshots?.save(this.service, () => list.snapshot);
    this.tell(before ?? [], listed);
    this.gather(startedMs);
  }

  /** @param startedMs when the publication began */
  private gather(startedMs: number): void {
    const { clock, debounceMs = DEFAULT_DEBOUNCE_MS } = this.options;
    const tookMs = clock.now() - startedMs;
    const delayMs = Math.max(debounceMs, Math.min(MAX_GATHER_MS, GATHER_PER_PUBLISH * tookMs));
    this.cancelDebounce = clock.setTimer(delayMs, () => this.publish());
  }

  private tell(before: readonly Endpoint[], after: readonly Endpoint[]): void {
    const { onEvent } = this.options;
    if (onEvent === undefined) return;
    const { added, removed } = diffAddresses(before, after);
    const total = after.length;
    onEvent({ type: 'endpoints-changed', service: this.service, added, removed, total });
  }
}
