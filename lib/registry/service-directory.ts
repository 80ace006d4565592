/**
 * The list of endpoints that clients of one service should use: fed by a registry, shared by all channels. It keeps the
 * last good list while the registry is away, passes the first change on at once and gathers those that follow closely.
 */
import { BehaviorSubject, type Observable, type Subscription } from 'rxjs';
import type { CancelTimer, Clock } from '../core/clock.js';
import type { DiscoveryError } from '../core/discovery-error.js';
import type { Endpoint } from '../core/endpoint.js';
import type { RegistryUpdate } from '../core/registry-update.js';
import {
  applyChange,
  EMPTY_SNAPSHOT,
  sameEndpoints,
  type Snapshot,
  usableEndpoints,
} from '../core/snapshot.js';
import type { Registry } from './registry.js';

/** What a directory knows. */
export interface DirectoryState {
  /** The endpoints to use, one per address; `undefined` until the registry has answered once. */
  readonly endpoints: readonly Endpoint[] | undefined;
  /** Why the registry cannot say, since its last answer; the endpoints above stay in use. */
  readonly error: DiscoveryError | undefined;
}

/** What a directory needs besides its registry. */
export interface DirectoryOptions {
  readonly clock: Clock;
  /** How long changes are gathered after one was passed on, in milliseconds. Default 50. */
  readonly debounceMs?: number;
}

/** The default of {@link DirectoryOptions.debounceMs}. */
export const DEFAULT_DEBOUNCE_MS = 50;

/** One service's list. Follows its registry from `start` to `stop`. */
export class ServiceDirectory {
  private readonly subject = new BehaviorSubject<DirectoryState>({
    endpoints: undefined,
    error: undefined,
  });
  private snapshot: Snapshot = EMPTY_SNAPSHOT;
  private subscription: Subscription | undefined;
  private cancelDebounce: CancelTimer | undefined;
  /** Something changed since the last list was passed on. */
  private pending = false;

  constructor(
    readonly registry: Registry,
    readonly service: string,
    private readonly options: DirectoryOptions,
  ) {}

  get state(): DirectoryState {
    return this.subject.value;
  }

  /** The current state, then every change of it. Identical lists are not repeated. */
  get state$(): Observable<DirectoryState> {
    return this.subject.asObservable();
  }

  start(): void {
    this.subscription ??= this.registry
      .watch(this.service)
      .subscribe((update) => this.apply(update));
  }

  stop(): void {
    this.subscription?.unsubscribe();
    this.subscription = undefined;
    this.cancelDebounce?.();
    this.cancelDebounce = undefined;
  }

  /** Passes on a hint that the list may be stale. */
  refresh(): void {
    this.registry.refresh(this.service);
  }

  private apply(update: RegistryUpdate): void {
    switch (update.kind) {
      case 'reset':
        this.snapshot = update.snapshot;
        break;
      case 'change':
        this.snapshot = applyChange(this.snapshot, update.change);
        break;
      case 'failure':
        this.subject.next({
          endpoints: this.state.endpoints,
          error: update.error,
        });
        return;
    }
    this.pending = true;
    if (this.cancelDebounce === undefined) this.publish();
  }

  private publish(): void {
    this.cancelDebounce = undefined;
    if (!this.pending) return;
    this.pending = false;
    const { endpoints: before, error } = this.state;
    const endpoints = usableEndpoints(this.snapshot);
    const same = before !== undefined && sameEndpoints(before, endpoints);
    if (!same || error !== undefined) {
      this.subject.next({
        endpoints: same ? before : endpoints,
        error: undefined,
      });
    }
    if (same) return;
    const { clock, debounceMs = DEFAULT_DEBOUNCE_MS } = this.options;
    this.cancelDebounce = clock.setTimer(debounceMs, () => this.publish());
  }
}
