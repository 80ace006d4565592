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
export interface LeaseKeeperOptions {
  readonly connection: EtcdConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: ResolvedTimings;
  readonly ttlSeconds: number;
  readonly onEvent: (event: RegistrationEvent) => void;
}

/** How long a sync under way is waited for before the lease is revoked, as a share of the time that a withdrawal may take. */
const SETTLE_SHARE = 0.25;

/** Keeps one lease, and the records under it, in etcd until it is stopped. */
export class LeaseKeeper {
  private machine: LeaseMachine = INITIAL_LEASE_MACHINE;
  private cancelTimer: CancelTimer | undefined;
  private readonly waiting = new Set<() => void>();
  /** Records to be taken out as soon as the caller has named all of them. */
  private leaving: string[] = [];
  private requests = 0;

  constructor(private readonly options: LeaseKeeperOptions) {}

  /** Has this record in etcd, with this value. */
  want(key: string, value: string): void {
    this.takeOut();
    this.feed({ type: 'want', key, value });
  }

  /**
   * Takes a record out, together with all others that are taken out in the same breath: they have one deadline. Resolves when it is out
   * or wanted again, once the attempt at it has failed, or after the time that a withdrawal may take.
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

  /** Takes every record out by revoking the lease. Resolves when that is answered or has failed. */
  async stop(): Promise<void> {
    const { withdrawalTimeoutMs } = this.options.connection;
    this.takeOut();
    // What etcd is about to have can be announced only once it is there.
    const settleMs = withdrawalTimeoutMs * SETTLE_SHARE;
    await this.until(({ phase }) => phase.name !== 'syncing', settleMs);
    this.feed({ type: 'stop' });
    // A lease can be revoked only once its id is known.
    const isKnown = await this.until(({ phase }) => phase.name !== 'granting', withdrawalTimeoutMs);
    if (!isKnown) this.feed({ type: 'stop' });
    await this.until(({ phase }) => phase.name === 'stopped');
    this.cancelTimer?.();
  }

  /** Whether a record is in this keeper's care. */
  holds(key: string): boolean {
    return this.machine.records.has(key);
  }

  /** etcd was away and answers again: do not wait, see at once that everything is still there. */
  verify(): void {
    this.feed({ type: 'registry-was-away' });
  }

  private takeOut(): void {
    const keys = this.leaving;
    this.leaving = [];
    if (keys.length > 0) this.feed({ type: 'unwant', keys });
  }

  /** Resolves with whether the condition came true in time. */
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
    // Listeners last: one that throws must not keep a request or a timer from being started.
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
        // Overtaken by the revocation at stop: that one's answer is what is waited for.
        if (request === this.requests) this.feed(event);
      });
  }
}
