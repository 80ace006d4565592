/** Runs one lease machine against etcd: performs its effects one at a time and feeds the answers back. */
import type { CancelTimer, Clock, Random } from '../core/clock.js';
import type { DiscoveryError } from '../core/discovery-error.js';
import type { RegistrationEvent } from '../core/discovery-event.js';
import { stepLease } from '../core/lease-machine.js';
import type { RecordObservation } from '../core/record-observation.js';
import {
  INITIAL_LEASE_MACHINE,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseMachine,
} from '../core/lease-state.js';
import type { EtcdConnection } from './etcd-connection.js';
import { isUnavailable, LeaseGoneError, toDiscoveryError } from './etcd-error.js';
import { type ResolvedTimings, timedBackoff } from './etcd-timings.js';
import { grantLease, renewLease, revokeLease } from './lease-requests.js';
import { announceRemoval, syncRecord } from './record-requests.js';

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
  private requests = 0;

  constructor(private readonly options: LeaseKeeperOptions) {}

  /** Has this record in etcd, with this value. */
  want(key: string, value: string): void {
    this.feed({ type: 'want', key, value });
  }

  /**
   * Takes a record out. Resolves when it is out or wanted again, once the attempt at it has failed, or after the time that a withdrawal
   * may take.
   */
  async unwant(key: string): Promise<void> {
    const { connection } = this.options;
    this.feed({ type: 'unwant', key });
    const isAnswered = await this.until(({ phase, records }) => {
      const isLeaving = records.get(key)?.wanted === false;
      return !isLeaving || phase.name === 'backing-off' || phase.name === 'stopped';
    }, connection.withdrawalTimeoutMs);
    if (!isAnswered) connection.doubt();
  }

  /** Takes every record out by revoking the lease. Resolves when that is answered or has failed. */
  async stop(): Promise<void> {
    const settleMs = this.options.connection.withdrawalTimeoutMs * SETTLE_SHARE;
    // What etcd is about to have can be announced only once it is there.
    await this.until(({ phase }) => phase.name !== 'syncing', settleMs);
    this.feed({ type: 'stop' });
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
          this.revoke(effect).then((observations) => ({ type: 'revoked', observations })),
        );
        return;
      case 'sync':
        this.answer('registration', this.sync(effect, at));
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

  private async revoke({ leaseId, records }: Extract<LeaseEffect, { type: 'revoke' }>) {
    const { connection } = this.options;
    const observations = new Map<string, RecordObservation>();
    const announced = await Promise.allSettled(
      records.map(async (request) => {
        const observation = await announceRemoval(connection, leaseId, request);
        if (observation !== undefined) observations.set(request.key, observation);
      }),
    );
    for (const outcome of announced) {
      // What etcd refuses to announce goes with the lease all the same; etcd that does not answer is not asked twice.
      if (outcome.status === 'rejected' && isUnavailable(outcome.reason)) throw outcome.reason;
    }
    await revokeLease(connection, leaseId);
    return observations;
  }

  /**
   * Renewal and records go out together: a record that etcd refuses must not let the lease run out, and an expired token,
   * which a keepalive stream cannot refresh, is refreshed by the others.
   */
  private async sync(
    effect: Extract<LeaseEffect, { type: 'sync' }>,
    at: number,
  ): Promise<LeaseEvent> {
    const { connection } = this.options;
    const { leaseId, renew, records } = effect;
    const observations = new Map<string, RecordObservation>();
    const refusals = new Map<string, DiscoveryError>();
    const [renewal, ...outcomes] = await Promise.allSettled([
      renew ? renewLease(connection, leaseId) : undefined,
      ...records.map(async (request) => {
        observations.set(request.key, await syncRecord(connection, leaseId, request));
      }),
    ]);
    let failure = renewal.status === 'rejected' ? renewal.reason : undefined;
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') continue;
      const { reason } = outcome;
      if (reason instanceof LeaseGoneError) return { type: 'lease-gone' };
      if (isUnavailable(reason)) failure ??= reason;
      else refusals.set(records[index]?.key ?? '', toDiscoveryError('registration', reason));
    }
    if (failure instanceof LeaseGoneError) return { type: 'lease-gone' };
    if (failure !== undefined) {
      const renewed = renew && renewal.status === 'fulfilled';
      const error = toDiscoveryError('registration', failure);
      return { type: 'failed', error, observations, ...(renewed ? { renewedAt: at } : {}) };
    }
    if (refusals.size > 0) return { type: 'refused', refusals, observations, at };
    return { type: 'synced', observations, at };
  }
}
