/**
 * The list of endpoints that clients of one service should use: fed by a registry, shared by all channels. It keeps the
 * last good list while the registry is away, holds removals that look like the registry's fault, passes the first change on at
 * once and gathers those that follow closely.
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
  /** Why the registry cannot say, since its last answer; the endpoints above stay in use. */
  readonly error: DiscoveryError | undefined;
  /** Addresses among them that the registry no longer lists; absent where there are none. */
  readonly held?: readonly string[];
  /**
   * Present while the endpoints are those an earlier process kept: when the registry said so, in milliseconds since 1970. Their
   * age is the time since.
   */
  readonly savedAt?: number;
  /** Present while the endpoints are the beginning of a long list, and the rest of it is on its way. */
  readonly isPart?: true;
}

/** What a directory needs besides its registry. */
export interface DirectoryOptions {
  readonly clock: Clock;
  /**
   * How long changes are gathered after one was passed on, in milliseconds; longer where passing it on took long
   * ({@link GATHER_PER_PUBLISH}). Default 50.
   */
  readonly debounceMs?: number;
  /** When removals are held. Default: never. */
  readonly removalGuard?: RemovalGuardPolicy;
  /** Where the list outlives the process. Default: nowhere. */
  readonly snapshots?: SnapshotStore;
  readonly onEvent?: (event: DirectoryEvent) => void;
}

/** The default of {@link DirectoryOptions.debounceMs}. */
export const DEFAULT_DEBOUNCE_MS = 50;
/**
 * Changes are gathered for at least so many times what it took to pass the last ones on: to pass on a list that changes all the time,
 * whatever its length, costs its clients 2 % of their time.
 */
export const GATHER_PER_PUBLISH = 50;
/**
 * The longest time that {@link GATHER_PER_PUBLISH} leads to, in milliseconds: a process that was suspended while it passed a list on is not
 * to keep that list for minutes.
 */
export const MAX_GATHER_MS = 5_000;
/** How long the registry may take before the kept list is used, in milliseconds; a failure uses it at once. */
export const SNAPSHOT_WAIT_MS = 500;

const NOTHING_IGNORED: readonly IgnoredGroup[] = [];

/** One service's list. Follows its registry from `start` to `stop`. */
export class ServiceDirectory {
  /** Which addresses its channels are connected to. */
  readonly connections: ConnectionReports;
  /** What the service asks of its clients. */
  readonly serviceConfig: ServiceConfigFeed;
  private readonly subject = new BehaviorSubject<DirectoryState>({
    endpoints: undefined,
    error: undefined,
  });
  private readonly list: GuardedList;
  private watch: KeptWatch | undefined;
  private cancelDebounce: CancelTimer | undefined;
  private cancelSnapshot: CancelTimer | undefined;
  /** The registry has answered since the start. */
  private answered = false;
  private leftOut = NOTHING_IGNORED;
  /** What was left out when the last list was passed on. */
  private leftOutBefore = NOTHING_IGNORED;
  /** Something changed since the last list was passed on. */
  private pending = false;
  /** A whole list came since then. */
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

  /** What the registry has under the service and leaves out, because no client could dial it. */
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

  /** Passes on a hint that the list may be stale. */
  refresh(): void {
    this.registry.refresh(this.service);
  }

  private apply(update: RegistryUpdate): void {
    if (update.kind === 'reset' && update.isPart === true) {
      this.begin(new EndpointStore(update.snapshot).usable);
      return;
    }
    if (update.kind === 'failure') {
      if (!this.answered) this.remember();
      this.list.apply(update);
      this.subject.next({ ...this.state, error: update.error });
      return;
    }
    this.answered = true;
    this.cancelSnapshot?.();
    if (update.kind === 'reset') this.listed = true;
    this.leftOut = update.ignored ?? NOTHING_IGNORED;
    this.list.apply(update);
    this.changed();
  }

  /** Better than nothing, and worse than anything else: a list that was kept is a whole one. */
  private begin(endpoints: readonly Endpoint[]): void {
    if (this.answered || this.knowsList || endpoints.length === 0) return;
    this.subject.next({ endpoints, error: undefined, isPart: true });
  }

  /** Whether a whole list is in use, be it one that was kept. */
  private get knowsList(): boolean {
    return this.state.endpoints !== undefined && this.state.isPart === undefined;
  }

  /** Uses the kept list, where the registry has not said anything yet. */
  private remember(): void {
    this.cancelSnapshot?.();
    const { snapshots, onEvent } = this.options;
    if (snapshots === undefined || this.answered || this.knowsList) return;
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
    // A look while the registry is away changes the list, and not that it is away.
    const failure = list.isAway ? error : undefined;
    const isNews = !same || failure !== error || savedAt !== undefined;
    // What calls are told, while there is no endpoint.
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

  /** @param startedMs when passing on began */
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
