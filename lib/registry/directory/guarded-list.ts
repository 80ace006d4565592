/**
 * Runs one removal guard: passes it the time and the ready connections, asks it again when a hold may be
 * over, and reports what it holds.
 */
import type { CancelTimer, Clock } from '../../core/clock.js';
import type { DirectoryEvent } from '../../core/discovery-event.js';
import type { Endpoint } from '../../core/records/endpoint.js';
import type { RegistryUpdate } from '../../core/snapshot/registry-update.js';
import {
  RemovalGuard,
  type RemovalGuardInput,
  type RemovalGuardPolicy,
} from '../../core/snapshot/removal-guard.js';
import type { Snapshot } from '../../core/snapshot/snapshot.js';
import { ConnectionReports } from './connection-reports.js';

/**
 * How long a connection may be gone until the endpoint counts as lost, in milliseconds: servers close old
 * connections on purpose.
 */
export const RECONNECT_GRACE_MS = 1_000;

/** What a guarded list needs. */
interface GuardedListOptions {
  readonly service: string;
  readonly clock: Clock;
  /** When removals are held; `undefined`: never. */
  readonly policy: RemovalGuardPolicy | undefined;
  readonly onEvent: ((event: DirectoryEvent) => void) | undefined;
  /** Called when a hold has ended and the list has changed by that. */
  readonly onReleased: () => void;
}

/** The list of one service, including the endpoints that are held. */
export class GuardedList {
  /** The addresses to which the service's channels have ready connections. */
  readonly connections = new ConnectionReports((address) => this.onLost(address));
  private guard = new RemovalGuard();
  private stopped = true;
  private cancelGrace: CancelTimer | undefined;
  private cancelLook: CancelTimer | undefined;
  /** When the guard must be asked again, on the clock; `undefined`: no hold ends by time. */
  private lookAtMs: number | undefined;

  constructor(private readonly options: GuardedListOptions) {}

  /**
   * The endpoints to use, one per address. While no endpoint is held, returns the same array until the list
   * changes; while endpoints are held, returns a new array each time.
   */
  get usable(): readonly Endpoint[] {
    return this.guard.usable;
  }

  /** The addresses of {@link usable} that are held. */
  get held(): readonly string[] {
    return this.guard.heldAddresses;
  }

  /** Whether the registry failed and has not answered since. */
  get isAway(): boolean {
    return this.guard.isAway;
  }

  /** All endpoints by key, at this moment. O(n). */
  get snapshot(): Snapshot {
    return this.guard.snapshot;
  }

  start(): void {
    this.stopped = false;
  }

  stop(): void {
    this.stopped = true;
    this.cancelLook?.();
    this.cancelGrace?.();
    this.lookAtMs = this.cancelLook = this.cancelGrace = undefined;
  }

  /** Applies an update of the registry: a change in O(changes), a whole list in O(n). */
  apply(update: RegistryUpdate): void {
    this.step({ type: 'update', update });
  }

  /** Replaces the list by one that an earlier process kept; the registry counts as away until it answers. */
  remember(snapshot: Snapshot): void {
    this.guard = new RemovalGuard(snapshot);
  }

  /** @returns whether a hold began or ended */
  private step(input: RemovalGuardInput): boolean {
    const { clock, policy, service, onEvent } = this.options;
    const now = clock.now();
    const { events, lookInMs } = this.guard.step(input, {
      now,
      policy,
      isReady: (address) => this.connections.isReady(address),
    });
    this.lookAt(lookInMs === undefined ? undefined : now + lookInMs, now);
    for (const { type, ...what } of events) {
      onEvent?.({
        type: type === 'held' ? 'removals-held' : 'removals-released',
        service,
        ...what,
      } as DirectoryEvent);
    }
    return events.length > 0;
  }

  /** Sets the timer for the next question to the guard, unless it is set to that time already. */
  private lookAt(atMs: number | undefined, now: number): void {
    if (atMs === this.lookAtMs) return;
    this.lookAtMs = atMs;
    this.cancelLook?.();
    const onDue = (): void => {
      this.lookAtMs = undefined;
      this.look();
    };
    this.cancelLook =
      atMs === undefined ? undefined : this.options.clock.setTimer(atMs - now, onDue);
  }

  private look(): void {
    if (this.step({ type: 'look' })) this.options.onReleased();
  }

  /** Asks the guard later: the channel is in the middle of an update, and may connect again. */
  private onLost(address: string): void {
    if (this.stopped || !this.guard.isHeld(address)) return;
    this.cancelGrace?.();
    this.cancelGrace = this.options.clock.setTimer(RECONNECT_GRACE_MS, () => this.look());
  }
}
