/** Runs one removal guard: gives it time and what is connected, looks again when a hold may be over, and tells what it holds. */
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

/** How long a connection may be gone until the endpoint counts as lost, in milliseconds: servers end old ones on purpose. */
export const RECONNECT_GRACE_MS = 1_000;

/** What a guarded list needs. */
export interface GuardedListOptions {
  readonly service: string;
  readonly clock: Clock;
  /** When removals are held; `undefined`: never. */
  readonly policy: RemovalGuardPolicy | undefined;
  readonly onEvent: ((event: DirectoryEvent) => void) | undefined;
  /** A hold is over, and with it the list another one. */
  readonly onReleased: () => void;
}

/** The list of one service, with what is held beside it. */
export class GuardedList {
  /** Which addresses its channels are connected to. */
  readonly connections = new ConnectionReports((address) => this.onLost(address));
  private guard = new RemovalGuard();
  private stopped = true;
  private cancelGrace: CancelTimer | undefined;
  private cancelLook: CancelTimer | undefined;
  /** When the look is due, on the clock; `undefined`: no hold's time comes. */
  private lookAtMs: number | undefined;

  constructor(private readonly options: GuardedListOptions) {}

  /** The endpoints to use, one per address. The same array until something changes, but while some are held. */
  get usable(): readonly Endpoint[] {
    return this.guard.usable;
  }

  /** Addresses among them that are held. */
  get held(): readonly string[] {
    return this.guard.heldAddresses;
  }

  /** Whether the registry has not answered since it failed. */
  get isAway(): boolean {
    return this.guard.isAway;
  }

  /** Everything in it by key, as it is at this moment. O(n). */
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

  /** Takes in what the registry says. A change costs what it changes, a whole list O(n). */
  apply(update: RegistryUpdate): void {
    this.step({ type: 'update', update });
  }

  /** Takes in a list from elsewhere, as if the registry had said that and then failed. */
  remember(snapshot: Snapshot): void {
    this.guard = new RemovalGuard(snapshot);
  }

  /** @returns whether anything is held that was not, or is held no longer */
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

  /** Sets the timer of the look, where it is not set to that time already. */
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

  /** Not at once: the channel is in the middle of something, and it may connect again. */
  private onLost(address: string): void {
    if (this.stopped || !this.guard.isHeld(address)) return;
    this.cancelGrace?.();
    this.cancelGrace = this.options.clock.setTimer(RECONNECT_GRACE_MS, () => this.look());
  }
}
