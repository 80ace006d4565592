/**
 * A watch that goes on even if the registry breaks the rules of `Registry.watch`: it must never end, never
 * fail and soon emit. If a registry of the user's own breaks them, the process must not end, and calls must
 * not wait forever.
 */
import { Subscription } from 'rxjs';
import type { CancelTimer, Clock } from '../core/clock.js';
import { DiscoveryError } from '../core/discovery-error.js';
import type { RegistryUpdate } from '../core/snapshot/registry-update.js';
import type { Registry } from './registry.js';

/** How long a registry may emit nothing before that counts as a failure, in milliseconds. */
export const FIRST_WORD_MS = 5_000;
/**
 * The delay between a watch that ended and the next one, in milliseconds: doubles from `first` to `longest`.
 */
const RETRY_MS = { first: 1_000, longest: 30_000 };

/** Follows one service from the constructor to `stop`. */
export class KeptWatch {
  private subscription: Subscription | undefined;
  private cancelTimer: CancelTimer | undefined;
  private failures = 0;
  private stopped = false;

  /**
   * @param onUpdate gets the registry's updates, and a `failure` when its watch breaks the rules of
   *   {@link Registry.watch}: it ends, fails or stays silent
   */
  constructor(
    private readonly registry: Registry,
    private readonly service: string,
    private readonly clock: Clock,
    private readonly onUpdate: (update: RegistryUpdate) => void,
  ) {
    this.subscribe();
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
    this.subscription?.unsubscribe();
  }

  private subscribe(): void {
    this.cancelTimer = this.clock.setTimer(FIRST_WORD_MS, () =>
      this.fail(`said nothing within ${FIRST_WORD_MS} ms`),
    );
    // The subscription is made before `subscribe` is called: an update that comes during that call may
    // already end the watch, and the subscription then also unsubscribes what is added later.
    const subscription = new Subscription();
    this.subscription = subscription;
    try {
      subscription.add(
        this.registry.watch(this.service).subscribe({
          next: (update) => this.take(update),
          error: (error: unknown) => this.retry(`failed: ${messageOf(error)}`),
          complete: () => this.retry('ended'),
        }),
      );
    } catch (error) {
      this.retry(`failed: ${messageOf(error)}`);
    }
  }

  private take(update: RegistryUpdate): void {
    if (this.stopped) return;
    this.cancelTimer?.();
    try {
      this.onUpdate(update);
      if (update.kind !== 'failure') this.failures = 0;
    } catch (error) {
      this.retry(`sent an update that cannot be read: ${messageOf(error)}`);
    }
  }

  private retry(what: string): void {
    if (this.stopped) return;
    this.subscription?.unsubscribe();
    this.cancelTimer?.();
    const delayMs = Math.min(RETRY_MS.first * 2 ** this.failures, RETRY_MS.longest);
    this.failures++;
    this.cancelTimer = this.clock.setTimer(delayMs, () => this.subscribe());
    this.fail(what);
  }

  private fail(what: string): void {
    const text = `the ${this.registry.scheme} registry's watch on "${this.service}" ${what}`;
    this.onUpdate({ kind: 'failure', error: new DiscoveryError('REGISTRY_UNAVAILABLE', text) });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
