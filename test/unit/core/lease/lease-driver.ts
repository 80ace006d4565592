/** Drives one lease machine through events, for the specs of `test/unit/core/lease`. */
import type { BackoffPolicy } from '../../../../lib/core/backoff.js';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { RegistrationEvent } from '../../../../lib/core/discovery-event.js';
import { stepLease } from '../../../../lib/core/lease/lease-machine.js';
import {
  INITIAL_LEASE_MACHINE,
  type LeaseContext,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseMachine,
} from '../../../../lib/core/lease/lease-types.js';
import type { RecordObservation } from '../../../../lib/core/lease/record-observation.js';

export const TTL_MS = 9_000;
export const BACKOFF: BackoffPolicy = { baseMs: 200, capMs: 30_000, floorMs: 50 };
export const AWAY = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
export const REFUSED = new DiscoveryError('REGISTRY_REJECTED', 'no space');
export const HELD: RecordObservation = { name: 'held' };
export const WRITTEN: RecordObservation = { name: 'written', displaced: undefined, updated: false };
export const displacing = (value: string, leaseId = 'R'): RecordObservation => ({
  name: 'written',
  displaced: { value, leaseId },
  updated: false,
});
export const REMOVED: RecordObservation = { name: 'removed' };
export const SPARED: RecordObservation = { name: 'spared' };
export const foreign = (value: string, contested = false): RecordObservation => ({
  name: 'foreign',
  value,
  contested,
});

export function contextAt(now: number, random: () => number = () => 0.5): LeaseContext {
  return { now, random, backoff: BACKOFF, keepalivesPerTtl: 3, keepaliveJitter: 0.1 };
}

/** An effect in one or two words: `sync! verify a claim b` renews the lease, `sync` does not. */
export function summary(effect: LeaseEffect): string {
  switch (effect.type) {
    case 'emit':
      return effect.event.type;
    case 'timer':
      return `timer ${effect.delayMs}`;
    case 'sync':
      return [
        effect.renew ? 'sync!' : 'sync',
        ...effect.records.map(({ mode, key, value }) => `${mode} ${key}=${value}`),
      ].join(' ');
    case 'revoke':
      return `revoke ${effect.leaseId}`;
    case 'grant':
      return 'grant';
  }
}

/** Drives one machine and records its requests and events. */
export class Driver {
  machine: LeaseMachine = INITIAL_LEASE_MACHINE;
  now = 0;
  random: () => number = () => 0.5;
  readonly emitted: RegistrationEvent[] = [];
  /** The requests of the last step; timers and events are left out. */
  asked: string[] = [];
  delayMs: number | undefined;

  feed(event: LeaseEvent): this {
    const step = stepLease(this.machine, event, contextAt(this.now, this.random));
    this.machine = step.machine;
    this.asked = [];
    for (const effect of step.effects) {
      if (effect.type === 'emit') this.emitted.push(effect.event);
      else if (effect.type === 'timer') this.delayMs = effect.delayMs;
      else this.asked.push(summary(effect));
    }
    return this;
  }

  want(key: string, value = '1'): this {
    return this.feed({ type: 'want', key, value });
  }

  unwant(key: string): this {
    return this.feed({ type: 'unwant', keys: [key] });
  }

  granted(leaseId = 'L'): this {
    return this.feed({ type: 'granted', leaseId, ttlMs: TTL_MS, at: this.now });
  }

  synced(observations: Readonly<Record<string, RecordObservation>> = {}): this {
    const all = new Map(Object.entries(observations));
    return this.feed({ type: 'synced', observations: all, at: this.now });
  }

  refused(observations: Readonly<Record<string, RecordObservation>>, ...keys: string[]): this {
    const refusals = new Map(keys.map((key) => [key, REFUSED]));
    const all = new Map(Object.entries(observations));
    return this.feed({ type: 'refused', refusals, observations: all, at: this.now });
  }

  failed(renewedAt?: number): this {
    const renewal = renewedAt === undefined ? {} : { renewedAt };
    return this.feed({ type: 'failed', error: AWAY, ...renewal });
  }

  /** Lets the time of the last timer pass. */
  due(): this {
    this.now += this.delayMs ?? 0;
    return this.feed({ type: 'timer' });
  }

  /** The types of the events that were emitted since the last call. */
  newEvents(): string[] {
    return this.emitted.splice(0).map(({ type }) => type);
  }

  /** A driver with one record in place under lease `L`; the events so far are dropped. */
  static registered(): Driver {
    const driver = new Driver();
    driver.want('api/a').granted().synced({ 'api/a': WRITTEN }).newEvents();
    return driver;
  }
}

/** Lets the next keepalive, or the next attempt in a conflict, find the value of another process. */
export function lose(driver: Driver): Driver {
  if (driver.machine.phase.name === 'resting') driver.due();
  return driver.synced({ 'api/a': foreign('theirs') });
}

/** A driver with two records in place under one lease; the events so far are dropped. */
export function two(): Driver {
  const driver = Driver.registered().want('api/b', '2');
  driver.synced({ 'api/a': HELD, 'api/b': WRITTEN }).newEvents();
  return driver;
}

/** The record requests that a `stop` would send now. */
export function removal({ machine, now }: Driver): unknown {
  const [effect] = stepLease(machine, { type: 'stop' }, contextAt(now)).effects;
  return effect?.type === 'revoke' ? effect.records : undefined;
}
