/** Runs one lease machine against etcd: performs its effects one at a time and feeds the answers back. */
import type { CancelTimer, Clock, Random } from '../../core/clock.js';
import type { RegistrationEvent } from '../../core/discovery-event.js';
import { stepLease } from '../../core/lease/lease-machine.js';
import {
  INITIAL_LEASE_MACHINE,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseMachine,
} from '../../core/lease/lease-types.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { LeaseGoneError, toDiscoveryError } from '../connection/etcd-error.js';
import { type ResolvedTimings, timedBackoff } from '../etcd-timings.js';
import { revokeRecords, syncRecords } from './lease-effects.js';
import { grantLease } from './lease-requests.js';

/** What a lease keeper needs. */
interface LeaseKeeperOptions {
  readonly connection: EtcdConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: ResolvedTimings;
  readonly ttlSeconds: number;
  readonly onEvent: (event: RegistrationEvent) => void;
}

/**
 * How long `stop` waits for a sync in flight before it revokes the lease, as a share of
 * `withdrawalTimeoutMs`.
 */
const SETTLE_SHARE = 0.25;

/** Keeps one lease, and the records under it, in etcd until it is stopped. */
export class LeaseKeeper {
  private machine: LeaseMachine = INITIAL_LEASE_MACHINE;
  private cancelTimer: CancelTimer | undefined;
  private readonly waiting = new Set<() => void>();
  /** Records to remove once the caller has named all of them. */
  private leaving: string[] = [];
  private requests = 0;

  constructor(private readonly options: LeaseKeeperOptions) {}

  /** Keeps this record in etcd, with this value. */
  want(key: string, value: string): void {
    this.takeOut();
    this.feed({ type: 'want', key, value });
  }

  /**
   * Removes a record, together with all others that the caller removes before the next microtask: they share
   * one deadline. Resolves when the record is removed or wanted again, when the attempt has failed, or after
   * `withdrawalTimeoutMs`.
   */
  async unwant(key: string): Promise<void> {
    const { connection, clock } = this.options;
    const sinceMs = clock.now();
    this.leaving.push(key);
    await Promise.resolve();
    this.takeOut();
    const isAnswered = await this.until(({ phase, records }) => {
      const isLeaving = records.get(key)?.wanted === false;
      return !isLeaving || phase.name === 'backing-off' || phase.name === 'stopped';
    }, connection.withdrawalTimeoutMs);
    if (!isAnswered) connection.doubt(sinceMs);
  }

  /**
   * Removes every record by revoking the lease. Resolves when etcd has answered, or the revocation has
   * failed.
   */
  async stop(): Promise<void> {
    const { withdrawalTimeoutMs } = this.options.connection;
    this.takeOut();
    // The removal of a record can be announced only after a write in flight has put the record into etcd.
    const settleMs = withdrawalTimeoutMs * SETTLE_SHARE;
    await this.until(({ phase }) => phase.name !== 'syncing', settleMs);
    this.feed({ type: 'stop' });
    // A lease can be revoked only once its id is known.
    const isKnown = await this.until(({ phase }) => phase.name !== 'granting', withdrawalTimeoutMs);
    if (!isKnown) this.feed({ type: 'stop' });
    await this.until(({ phase }) => phase.name === 'stopped');
    this.cancelTimer?.();
  }

  /** Whether this keeper holds a record. */
  holds(key: string): boolean {
    return this.machine.records.has(key);
  }

  /** Call it when etcd was away and answers again: the keeper verifies lease and records at once. */
  verify(): void {
    this.feed({ type: 'registry-was-away' });
  }

  private takeOut(): void {
    const keys = this.leaving;
    this.leaving = [];
    if (keys.length > 0) this.feed({ type: 'unwant', keys });
  }

  /** Resolves with `true` when the condition is met, with `false` after the timeout. */
  private until(
    condition: (machine: LeaseMachine) => boolean,
    timeoutMs?: number,
  ): Promise<boolean> {
    return new Promise((resolve) => {
      let cancelTimeout: CancelTimer | undefined;
      const end = (isMet: boolean): void => {
        this.waiting.delete(check);
        cancelTimeout?.();
        resolve(isMet);
      };
      const check = (): void => {
        if (condition(this.machine)) end(true);
      };
      if (timeoutMs !== undefined) {
        cancelTimeout = this.options.clock.setTimer(timeoutMs, () => end(false));
      }
      this.waiting.add(check);
      check();
    });
  }

  private feed(event: LeaseEvent): void {
    const { clock, random, timings } = this.options;
    const { keepalivesPerTtl, keepaliveJitter } = timings;
    const backoff = timedBackoff(timings);
    const context = { now: clock.now(), random, backoff, keepalivesPerTtl, keepaliveJitter };
    const { machine, effects } = stepLease(this.machine, event, context);
    this.machine = machine;
    // Listeners come last, so that requests and timers start even if a listener throws.
    for (const effect of effects) if (effect.type !== 'emit') this.perform(effect);
    for (const effect of effects) if (effect.type === 'emit') this.options.onEvent(effect.event);
    for (const check of this.waiting) check();
  }

  private perform(effect: Exclude<LeaseEffect, { type: 'emit' }>): void {
    const { connection, clock, ttlSeconds } = this.options;
    const at = clock.now();
    switch (effect.type) {
      case 'timer':
        this.cancelTimer?.();
        this.cancelTimer = clock.setTimer(effect.delayMs, () => this.feed({ type: 'timer' }));
        return;
      case 'grant':
        this.answer(
          'lease grant',
          grantLease(connection, ttlSeconds).then((lease) => ({ type: 'granted', ...lease, at })),
        );
        return;
      case 'revoke':
        this.answer(
          'lease revoke',
          revokeRecords(connection, clock, effect).then((observations) => ({
            type: 'revoked',
            observations,
          })),
        );
        return;
      case 'sync':
        this.answer('registration', syncRecords(connection, effect, at));
    }
  }

  private answer(what: string, outcome: Promise<LeaseEvent>): void {
    const request = ++this.requests;
    outcome
      .catch((error: unknown): LeaseEvent =>
        error instanceof LeaseGoneError
          ? { type: 'lease-gone' }
          : { type: 'failed', error: toDiscoveryError(what, error) },
      )
      .then((event) => {
        // If the revocation at stop has overtaken this request, only the answer to the revocation counts.
        if (request === this.requests) this.feed(event);
      });
  }
}
