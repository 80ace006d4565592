/** Random walks of the lease machine: the registry fails and loses data, and other processes write to it. */
import { describe, expect, it } from 'vitest';
import type { Random } from '../../../lib/core/clock.js';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import type { RegistrationEvent } from '../../../lib/core/discovery-event.js';
import { stepLease } from '../../../lib/core/lease/lease-machine.js';
import type { RecordRequest } from '../../../lib/core/lease/lease-record.js';
import type { RecordObservation } from '../../../lib/core/lease/record-observation.js';
import {
  INITIAL_LEASE_MACHINE,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseMachine,
} from '../../../lib/core/lease/lease-types.js';
import { EtcdRegistration } from '../../../lib/etcd/lease/etcd-registration.js';
import { seededRandom } from '../../support/seeded-random.js';

const TTL_MS = 9_000;
const KEYS = ['api/a', 'api/b', 'web/c'];

type Request = Exclude<LeaseEffect, { type: 'timer' | 'emit' }> & { readonly sentAt: number };

/** A registry with leases as etcd has them. */
class FakeRegistry {
  readonly leases = new Map<string, number>();
  readonly records = new Map<string, { value: string; leaseId: string }>();
  private granted = 0;

  grant(now: number): string {
    const id = `lease-${++this.granted}`;
    this.leases.set(id, now + TTL_MS);
    return id;
  }

  drop(leaseId: string): void {
    this.leases.delete(leaseId);
    for (const [key, record] of this.records) {
      if (record.leaseId === leaseId) this.records.delete(key);
    }
  }

  expire(now: number): void {
    for (const [id, until] of this.leases) if (until < now) this.drop(id);
  }

  sync(leaseId: string, { key, value, mode }: RecordRequest): RecordObservation {
    const found = this.records.get(key);
    if (mode === 'remove') {
      if (found !== undefined && found.leaseId !== leaseId) return { name: 'spared' };
      this.records.delete(key);
      return { name: 'removed' };
    }
    if (found?.leaseId === leaseId && found.value === value) return { name: 'held' };
    const foreign = found !== undefined && found.leaseId !== leaseId;
    if (foreign && mode === 'verify') {
      return { name: 'foreign', value: found.value, contested: false };
    }
    this.records.set(key, { value, leaseId });
    const displaced = foreign ? found : undefined;
    return { name: 'written', displaced, updated: found !== undefined && !foreign };
  }
}

/** The lease machine with its one timer and its requests in flight, checked after each step. */
class Walk {
  machine: LeaseMachine = INITIAL_LEASE_MACHINE;
  readonly registry = new FakeRegistry();
  readonly wanted = new Map<string, string>();
  /** The `EtcdRegistration` of each wanted record, which users see. */
  readonly registrations = new Map<string, EtcdRegistration>();
  requests: Request[] = [];
  timerAt: number | undefined;
  now = 0;
  stopping = false;
  visited = new Set<string>();

  constructor(private readonly random: Random) {}

  feed(event: LeaseEvent): void {
    const step = stepLease(this.machine, event, {
      now: this.now,
      random: this.random,
      backoff: { baseMs: 200, capMs: 30_000, floorMs: 50 },
      keepalivesPerTtl: 3,
      keepaliveJitter: 0.1,
    });
    this.machine = step.machine;
    for (const effect of step.effects) {
      if (effect.type === 'timer') this.timerAt = this.now + effect.delayMs;
      else if (effect.type === 'emit') this.publish(effect.event);
      else this.requests.push({ ...effect, sentAt: this.now });
    }
    // Like the runner, the walk drops the answer to a request that the revocation at `stop` has overtaken.
    if (this.stopping) this.requests = this.requests.slice(-1);
    this.check();
  }

  private publish(event: RegistrationEvent): void {
    for (const [key, registration] of this.registrations) {
      if (!('key' in event) || event.key === key) registration.observe(event);
    }
  }

  // The checks do not use `expect`, which would be slow: they run a million times.
  private check(): void {
    const { name } = this.machine.phase;
    this.visited.add(name);
    const busy = name === 'granting' || name === 'syncing' || name === 'revoking';
    const waits = name === 'resting' || name === 'backing-off';
    const waitMs = (this.timerAt ?? Infinity) - this.now;
    const allowed = busy ? 1 : 0;
    if (this.requests.length !== allowed || (waits && waitMs > 30_000)) {
      throw new Error(`${name}: ${this.requests.length} requests in flight, timer in ${waitMs} ms`);
    }
  }

  fireTimer(): void {
    if (this.timerAt === undefined) return;
    this.now = Math.max(this.now, this.timerAt);
    this.timerAt = undefined;
    this.registry.expire(this.now);
    this.feed({ type: 'timer' });
  }

  /** Lets the registry answer the request in flight. */
  answer(): void {
    const request = this.requests.shift();
    if (request === undefined) return;
    this.feed(this.reply(request));
  }

  /** Lets the request fail. `performed`: the registry performed it, and only the answer is lost. */
  fail(performed: boolean): void {
    const request = this.requests.shift();
    if (request === undefined) return;
    if (performed) this.reply(request);
    this.feed({ type: 'failed', error: new DiscoveryError('REGISTRY_UNAVAILABLE', 'away') });
  }

  /** Lets the registry answer a sync and refuse one of its records. */
  refuse(): void {
    const request = this.requests[0];
    if (request?.type !== 'sync' || request.records.length === 0) return;
    this.requests.shift();
    const [refused, ...records] = request.records;
    const event = this.reply({ ...request, records });
    if (event.type !== 'synced' || refused === undefined) return this.feed(event);
    const error = new DiscoveryError('REGISTRY_REJECTED', 'no space');
    this.feed({ ...event, type: 'refused', refusals: new Map([[refused.key, error]]) });
  }

  private reply(request: Request): LeaseEvent {
    const { registry, now } = this;
    registry.expire(now);
    switch (request.type) {
      case 'grant':
        return { type: 'granted', leaseId: registry.grant(now), ttlMs: TTL_MS, at: request.sentAt };
      case 'revoke':
        registry.drop(request.leaseId);
        return { type: 'revoked' };
      case 'sync': {
        if (!registry.leases.has(request.leaseId)) return { type: 'lease-gone' };
        if (request.renew) registry.leases.set(request.leaseId, now + TTL_MS);
        const observations = new Map(
          request.records.map((record) => [record.key, registry.sync(request.leaseId, record)]),
        );
        return { type: 'synced', observations, at: request.sentAt };
      }
    }
  }

  want(key: string, value: string): void {
    if (!this.wanted.has(key)) {
      const initial = { state: 'registering', service: 'api', key, address: 'h:1' } as const;
      const registration = new EtcdRegistration(
        initial,
        () => {},
        async () => {},
      );
      this.registrations.set(key, registration);
    }
    this.wanted.set(key, value);
    this.feed({ type: 'want', key, value });
  }

  unwant(key: string): void {
    this.wanted.delete(key);
    this.registrations.delete(key);
    this.feed({ type: 'unwant', keys: [key] });
  }

  stop(): void {
    this.stopping = true;
    this.feed({ type: 'stop' });
  }

  /** One random incident: a wish, an answer, a fault, a span of time, or a write of another process. */
  stumble(): void {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(this.random() * list.length)]!;
    const chance = this.random();
    if (chance < 0.08) this.want(pick(KEYS), `${Math.floor(this.random() * 4)}`);
    else if (chance < 0.13) this.unwant(pick(KEYS));
    else if (chance < 0.46) this.answer();
    else if (chance < 0.5) this.refuse();
    else if (chance < 0.62) this.fail(this.random() < 0.5);
    else if (chance < 0.82) this.fireTimer();
    else if (chance < 0.86) this.feed({ type: 'registry-was-away' });
    else if (chance < 0.89) this.now += this.random() * 20_000;
    else if (chance < 0.92) this.registry.records.delete(pick(KEYS));
    else if (chance < 0.96) {
      this.registry.records.set(pick(KEYS), { value: 'theirs', leaseId: 'another' });
    } else if (chance < 0.98) for (const id of this.registry.leases.keys()) this.registry.drop(id);
    else this.now += 100;
  }

  /** Lets time pass; every request is answered, and no other process interferes. */
  settle(steps: number): void {
    for (let step = 0; step < steps; step++) {
      if (this.requests.length > 0) this.answer();
      else this.fireTimer();
    }
    for (let step = 0; step < 10 && this.requests.length > 0; step++) this.answer();
  }

  /** The records in the registry under the machine's lease, if that lease lives. */
  ours(): Record<string, string> {
    const { phase } = this.machine;
    const leaseId = 'lease' in phase ? phase.lease?.id : undefined;
    return Object.fromEntries(
      [...this.registry.records]
        .filter(([, record]) => record.leaseId === leaseId && this.registry.leases.has(leaseId))
        .map(([key, { value }]) => [key, value]),
    );
  }
}

describe('the lease machine in a random walk', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
    'always reaches a state with exactly the wanted records registered (seed %i)',
    (seed) => {
      const walk = new Walk(seededRandom(seed));
      for (let step = 0; step < 10_000; step++) {
        walk.stumble();
        if (step % 500 === 499) {
          walk.settle(200);
          expect(walk.ours()).toEqual(Object.fromEntries(walk.wanted));
          const states = [...walk.registrations.values()].map(({ status }) => status.state);
          expect(states).toEqual(states.map(() => 'registered'));
          expect(walk.machine.phase.name).toBe(walk.wanted.size === 0 ? 'idle' : 'resting');
        }
      }
      expect([...walk.visited].sort()).toEqual(
        ['backing-off', 'granting', 'idle', 'resting', 'revoking', 'syncing'].sort(),
      );
    },
  );

  it('stops in every phase, and leaves no record behind if the registry answers', () => {
    const stoppedIn = new Set<string>();
    for (let seed = 0; seed < 300; seed++) {
      const random = seededRandom(seed);
      const walk = new Walk(random);
      const steps = Math.floor(random() * 200);
      for (let step = 0; step < steps; step++) walk.stumble();
      stoppedIn.add(walk.machine.phase.name);
      walk.stop();
      // Two answers are needed: to a grant, and to the revocation of its lease.
      walk.answer();
      walk.answer();
      expect(walk.machine.phase.name).toBe('stopped');
      expect(walk.requests).toEqual([]);
      const left = [...walk.registry.records.values()].filter(({ value }) => value !== 'theirs');
      // Records that a lost request wrote expire with their lease.
      walk.registry.expire(walk.now + TTL_MS + 1);
      expect(left.every(({ leaseId }) => !walk.registry.leases.has(leaseId))).toBe(true);
      for (let step = 0; step < 50; step++) walk.stumble();
      expect(walk.machine.phase.name).toBe('stopped');
      expect(walk.requests).toEqual([]);
    }
    expect([...stoppedIn].sort()).toEqual(
      ['backing-off', 'granting', 'idle', 'resting', 'revoking', 'syncing'].sort(),
    );
  });
});
