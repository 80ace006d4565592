import { describe, expect, it } from 'vitest';
import { REGISTRY_BACKOFF } from '../../../../lib/core/backoff.js';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { RegistrationEvent } from '../../../../lib/core/discovery-event.js';
import { stepLease } from '../../../../lib/core/lease/lease-machine.js';
import type { LeaseRecord } from '../../../../lib/core/lease/lease-record.js';
import type { RecordObservation } from '../../../../lib/core/lease/record-observation.js';
import {
  type HeldLease,
  INITIAL_LEASE_MACHINE,
  type LeaseContext,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseMachine,
  type LeasePhase,
} from '../../../../lib/core/lease/lease-state.js';
import { seededRandom } from '../../../support/seeded-random.js';

const TTL_MS = 9_000;
const LEASE: HeldLease = { id: 'L', ttlMs: TTL_MS, renewedAt: 0 };
const AWAY = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
const REFUSED = new DiscoveryError('REGISTRY_REJECTED', 'no space');
const HELD: RecordObservation = { name: 'held' };
const WRITTEN: RecordObservation = { name: 'written', displaced: undefined, updated: false };
const displacing = (value: string, leaseId = 'R'): RecordObservation => ({
  name: 'written',
  displaced: { value, leaseId },
  updated: false,
});
const REMOVED: RecordObservation = { name: 'removed' };
const SPARED: RecordObservation = { name: 'spared' };
const foreign = (value: string, contested = false): RecordObservation => ({
  name: 'foreign',
  value,
  contested,
});

function contextAt(now: number, random: () => number = () => 0.5): LeaseContext {
  return { now, random, backoff: REGISTRY_BACKOFF };
}

const heldRecord: LeaseRecord = {
  value: '1',
  wanted: true,
  standing: { name: 'held', contests: 0, since: 0 },
};
const unwritten: LeaseRecord = { value: '1', wanted: true, standing: { name: 'unwritten' } };

function machine(phase: LeasePhase, record?: LeaseRecord): LeaseMachine {
  const records = new Map(record === undefined ? [] : [['api/a', record]]);
  return {
    phase,
    records,
    spared: new Map(),
    dirty: false,
    expired: false,
    interrupted: false,
    losses: 0,
  };
}

/** One of each phase, as it is reached with the record `api/a`. */
const PHASES = {
  idle: INITIAL_LEASE_MACHINE,
  granting: machine({ name: 'granting', attempt: 0 }, unwritten),
  syncing: machine({ name: 'syncing', lease: LEASE, attempt: 0, renew: true }, heldRecord),
  resting: machine({ name: 'resting', lease: LEASE }, heldRecord),
  'backing off without a lease': machine(
    { name: 'backing-off', lease: undefined, attempt: 1 },
    unwritten,
  ),
  'backing off with a lease': machine(
    { name: 'backing-off', lease: LEASE, attempt: 1 },
    heldRecord,
  ),
  revoking: machine(
    { name: 'revoking', lease: LEASE, attempt: 0, final: false },
    { ...heldRecord, wanted: false },
  ),
  'revoking for good': machine(
    { name: 'revoking', lease: LEASE, attempt: 0, final: true },
    heldRecord,
  ),
  stopped: machine({ name: 'stopped' }, heldRecord),
} satisfies Record<string, LeaseMachine>;

const EVENTS = {
  want: { type: 'want', key: 'api/b', value: '2' },
  unwant: { type: 'unwant', keys: ['api/a'] },
  stop: { type: 'stop' },
  timer: { type: 'timer' },
  'registry-back': { type: 'registry-back' },
  'registry-was-away': { type: 'registry-was-away' },
  granted: { type: 'granted', leaseId: 'M', ttlMs: TTL_MS, at: 900 },
  synced: { type: 'synced', observations: new Map([['api/a', HELD]]), at: 900 },
  refused: {
    type: 'refused',
    refusals: new Map([['api/a', REFUSED]]),
    observations: new Map(),
    at: 900,
  },
  'lease-gone': { type: 'lease-gone' },
  revoked: { type: 'revoked' },
  failed: { type: 'failed', error: AWAY },
} satisfies Record<string, LeaseEvent>;

/** An effect in a word or two: `sync! verify a claim b` renews the lease, `sync` does not. */
function summary(effect: LeaseEffect): string {
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

/** The phase that follows, then the effects. `=` stands for "as before, without effects". */
const IGNORED = '=';
const TABLE: Record<keyof typeof PHASES, Record<keyof typeof EVENTS, string>> = {
  idle: {
    want: 'granting: grant',
    unwant: IGNORED,
    stop: 'stopped:',
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
    granted: IGNORED,
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': IGNORED,
    revoked: IGNORED,
    failed: IGNORED,
  },
  granting: {
    want: 'granting:',
    unwant: 'granting:',
    stop: 'granting:',
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
    granted: 'syncing: lease-granted, sync claim api/a=1',
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': IGNORED,
    revoked: IGNORED,
    failed: 'backing-off: timer 100, lease-unreachable',
  },
  syncing: {
    want: 'syncing:',
    unwant: 'syncing:',
    stop: 'revoking: revoke L',
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
    granted: IGNORED,
    synced: 'resting: timer 2900',
    refused: 'backing-off: timer 100, record-refused',
    'lease-gone': 'granting: lease-lost, grant',
    revoked: IGNORED,
    failed: 'backing-off: timer 100, lease-unreachable',
  },
  resting: {
    want: 'syncing: sync verify api/a=1 claim api/b=2',
    unwant: 'revoking: revoke L',
    stop: 'revoking: revoke L',
    timer: 'syncing: sync! verify api/a=1',
    'registry-back': IGNORED,
    'registry-was-away': 'syncing: sync! verify api/a=1',
    granted: IGNORED,
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': IGNORED,
    revoked: IGNORED,
    failed: IGNORED,
  },
  'backing off without a lease': {
    want: 'backing-off:',
    unwant: 'idle:',
    stop: 'stopped:',
    timer: 'granting: grant',
    'registry-back': 'granting: grant',
    'registry-was-away': 'granting: grant',
    granted: IGNORED,
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': IGNORED,
    revoked: IGNORED,
    failed: IGNORED,
  },
  'backing off with a lease': {
    want: 'backing-off:',
    unwant: 'revoking: revoke L',
    stop: 'revoking: revoke L',
    timer: 'syncing: sync! verify api/a=1',
    'registry-back': 'syncing: sync! verify api/a=1',
    'registry-was-away': 'syncing: sync! verify api/a=1',
    granted: IGNORED,
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': IGNORED,
    revoked: IGNORED,
    failed: IGNORED,
  },
  revoking: {
    want: 'revoking:',
    unwant: 'revoking:',
    stop: 'revoking:',
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
    granted: IGNORED,
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': 'idle: deregistered',
    revoked: 'idle: deregistered',
    failed: 'backing-off: timer 100, lease-unreachable',
  },
  'revoking for good': {
    want: 'revoking:',
    unwant: 'revoking:',
    stop: IGNORED,
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
    granted: IGNORED,
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': 'stopped: deregistered',
    revoked: 'stopped: deregistered',
    failed: 'stopped:',
  },
  stopped: {
    want: 'stopped:',
    unwant: 'stopped:',
    stop: IGNORED,
    timer: IGNORED,
    'registry-back': IGNORED,
    'registry-was-away': IGNORED,
    granted: IGNORED,
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': IGNORED,
    revoked: IGNORED,
    failed: IGNORED,
  },
};

describe('one step of the lease machine', () => {
  const rows = Object.entries(TABLE).flatMap(([phase, cells]) =>
    Object.entries(cells).map(([event, outcome]) => ({ phase, event, outcome })),
  );

  it.each(rows)('$phase, $event → $outcome', ({ phase, event, outcome }) => {
    const before = PHASES[phase as keyof typeof PHASES];
    const step = stepLease(before, EVENTS[event as keyof typeof EVENTS], contextAt(1_000));
    if (outcome === IGNORED) {
      expect(step.effects).toEqual([]);
      expect(step.machine).toEqual(before);
      return;
    }
    const effects = step.effects.map(summary).join(', ');
    expect(`${step.machine.phase.name}: ${effects}`.trim()).toBe(outcome);
  });

  it.each(['granting', 'syncing', 'revoking'] as const)(
    'in %s a wish is kept for when the request in flight is answered',
    (phase) => {
      const { machine: after } = stepLease(PHASES[phase], EVENTS.want, contextAt(0));
      expect(after.dirty).toBe(true);
      expect(after.phase).toEqual(PHASES[phase].phase);
      expect(after.records.get('api/b')).toMatchObject({ value: '2', wanted: true });
    },
  );

  it('changes nothing of the state it starts from', () => {
    const before = structuredClone(PHASES.resting);
    for (const event of Object.values(EVENTS)) stepLease(PHASES.resting, event, contextAt(1_000));
    expect(PHASES.resting).toEqual(before);
  });
});

/** Drives one machine and remembers what it asked for and what it told. */
class Driver {
  machine: LeaseMachine = INITIAL_LEASE_MACHINE;
  now = 0;
  random: () => number = () => 0.5;
  readonly told: RegistrationEvent[] = [];
  /** Effects of the last step, told events left out. */
  asked: string[] = [];
  delayMs: number | undefined;

  feed(event: LeaseEvent): this {
    const step = stepLease(this.machine, event, contextAt(this.now, this.random));
    this.machine = step.machine;
    this.asked = [];
    for (const effect of step.effects) {
      if (effect.type === 'emit') this.told.push(effect.event);
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

  /** What was told since the last call, by type. */
  news(): string[] {
    return this.told.splice(0).map(({ type }) => type);
  }

  /** With one record in place under lease `L`, everything told so far forgotten. */
  static registered(): Driver {
    const driver = new Driver();
    driver.want('api/a').granted().synced({ 'api/a': WRITTEN }).news();
    return driver;
  }
}

/** Finds a foreign value with the next keepalive or contest. */
function lose(driver: Driver): Driver {
  if (driver.machine.phase.name === 'resting') driver.due();
  return driver.synced({ 'api/a': foreign('theirs') });
}

/** What a stop now would ask about the records. */
function removal({ machine, now }: Driver): unknown {
  const [effect] = stepLease(machine, { type: 'stop' }, contextAt(now)).effects;
  return effect?.type === 'revoke' ? effect.records : undefined;
}

/** Stopped while its lease is being granted. */
function granting(): Driver {
  return new Driver().want('api/a').feed({ type: 'stop' });
}

/** Stopped while its lease is being revoked, as nothing is wanted any more. */
function revoking(): Driver {
  return Driver.registered().unwant('api/a').feed({ type: 'stop' });
}

/** Two records under one lease, everything told so far forgotten. */
function two(): Driver {
  const driver = Driver.registered().want('api/b', '2');
  driver.synced({ 'api/a': HELD, 'api/b': WRITTEN }).news();
  return driver;
}

describe('registration', () => {
  it('grants, writes, keeps alive and verifies', () => {
    const driver = new Driver().want('api/a');
    expect(driver.asked).toEqual(['grant']);
    driver.now = 5;
    expect(driver.granted().asked).toEqual(['sync claim api/a=1']);
    driver.synced({ 'api/a': WRITTEN });
    expect(driver.told).toEqual([
      { type: 'lease-granted', leaseId: 'L', ttlMs: TTL_MS },
      { type: 'registered', key: 'api/a', leaseId: 'L' },
    ]);
    driver.news();
    for (let cycle = 0; cycle < 50; cycle++) {
      expect(driver.delayMs).toBe(TTL_MS / 3);
      expect(driver.due().asked).toEqual(['sync! verify api/a=1']);
      driver.synced({ 'api/a': HELD });
    }
    expect(driver.news()).toEqual([]);
  });

  it.each([
    [0, 2_700],
    [0.5, 3_000],
    [1, 3_300],
  ])(
    'keeps alive after a third of the time to live, ±10 %% (random %d → %i ms)',
    (draw, delayMs) => {
      const driver = new Driver();
      driver.random = () => draw;
      driver.want('api/a').granted().synced({ 'api/a': WRITTEN });
      expect(driver.delayMs).toBeCloseTo(delayMs, 6);
    },
  );

  it('counts the interval from when the renewal was sent, so that slow answers eat into it', () => {
    const driver = Driver.registered();
    driver.due();
    const sentAt = driver.now;
    driver.now += 1_000;
    driver.feed({ type: 'synced', observations: new Map([['api/a', HELD]]), at: sentAt });
    expect(driver.delayMs).toBe(2_000);
  });

  it('syncs in between do not put the keepalive off', () => {
    const driver = Driver.registered();
    driver.now = 2_000;
    driver.want('api/b').synced({ 'api/a': HELD, 'api/b': WRITTEN });
    expect(driver.delayMs).toBe(1_000);
  });

  it('an answer later than the whole interval is followed by a keepalive at once', () => {
    const driver = Driver.registered();
    driver.now = 8_000;
    driver.want('api/b').synced({ 'api/a': HELD, 'api/b': WRITTEN });
    expect(driver.delayMs).toBe(0);
  });

  it('takes over what an earlier process left under its key', () => {
    const driver = new Driver().want('api/a').granted();
    driver.synced({ 'api/a': displacing('old') });
    expect(driver.told.slice(1)).toEqual([
      { type: 'record-taken-over', key: 'api/a', previousValue: 'old' },
      { type: 'registered', key: 'api/a', leaseId: 'L' },
    ]);
  });

  it('a second record goes under the same lease', () => {
    const driver = Driver.registered().want('api/b', '2');
    expect(driver.asked).toEqual(['sync verify api/a=1 claim api/b=2']);
    driver.synced({ 'api/a': HELD, 'api/b': WRITTEN });
    expect(driver.news()).toEqual(['registered']);
    expect(driver.due().asked).toEqual(['sync! verify api/a=1 verify api/b=2']);
  });

  it('a changed value is written at once, and told as nothing', () => {
    const driver = Driver.registered().want('api/a', '2');
    expect(driver.asked).toEqual(['sync verify api/a=2']);
    driver.synced({ 'api/a': { name: 'written', displaced: undefined, updated: true } });
    expect(driver.news()).toEqual([]);
    expect(driver.machine.phase.name).toBe('resting');
  });

  it('a change while a request is in flight is written as soon as that is answered', () => {
    const driver = new Driver().want('api/a').granted().want('api/a', '2');
    expect(driver.asked).toEqual([]);
    expect(driver.synced({ 'api/a': WRITTEN }).asked).toEqual(['sync verify api/a=2']);
    driver.synced({ 'api/a': { name: 'written', displaced: undefined, updated: true } });
    expect(driver.asked).toEqual([]);
    expect(driver.machine.phase.name).toBe('resting');
  });

  it('a record wanted while the lease is being granted is written with the first', () => {
    const driver = new Driver().want('api/a').want('api/b', '2');
    expect(driver.granted().asked).toEqual(['sync claim api/a=1 claim api/b=2']);
  });

  it('a key that is gone is written again and told as restored', () => {
    const driver = Driver.registered().due();
    driver.synced({ 'api/a': WRITTEN });
    expect(driver.told).toEqual([{ type: 'record-restored', key: 'api/a' }]);
  });

  it('a lease that is gone is replaced at once, and its records with it', () => {
    const driver = Driver.registered().due().feed({ type: 'lease-gone' });
    expect(driver.asked).toEqual(['grant']);
    expect(driver.granted('M').asked).toEqual(['sync verify api/a=1']);
    driver.synced({ 'api/a': WRITTEN });
    expect(driver.told).toEqual([
      { type: 'lease-lost', leaseId: 'L' },
      { type: 'lease-granted', leaseId: 'M', ttlMs: TTL_MS },
      { type: 'registered', key: 'api/a', leaseId: 'M' },
    ]);
  });

  it('what another process wrote while the lease was gone is a conflict, not taken over unseen', () => {
    const driver = Driver.registered().due().feed({ type: 'lease-gone' }).granted('M');
    driver.news();
    driver.synced({ 'api/a': foreign('theirs') });
    expect(driver.told).toEqual([{ type: 'conflict', key: 'api/a', foreignValue: 'theirs' }]);
  });
});

describe('a conflict', () => {
  it('is contested at once the first time', () => {
    const driver = lose(Driver.registered());
    expect(driver.news()).toEqual(['conflict']);
    expect(driver.asked).toEqual(['sync claim api/a=1']);
    driver.synced({ 'api/a': displacing('theirs') });
    expect(driver.news()).toEqual(['registered']);
  });

  it('is contested later and later when it lasts, while the lease is kept alive', () => {
    const driver = lose(Driver.registered());
    driver.random = () => 1;
    const waits: number[] = [];
    for (let round = 0; round < 12; round++) {
      // Won, and lost again with the next keepalive.
      lose(driver.synced({ 'api/a': WRITTEN }));
      const lostAt = driver.now;
      for (let request = ''; !request.includes('claim'); request = driver.asked[0] ?? '') {
        if (request !== '') lose(driver);
        expect(driver.delayMs).toBeLessThanOrEqual(3_301);
        driver.due();
      }
      waits.push(Math.round(driver.now - lostAt));
    }
    const capped = Array.from({ length: 5 }, () => 30_000);
    expect(waits).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, ...capped]);
  });

  it('is told when it begins and with every attempt that is lost, not when looked at again', () => {
    const driver = lose(Driver.registered());
    driver.synced({ 'api/a': foreign('theirs', true) });
    expect(driver.news()).toEqual(['conflict', 'conflict']);
    const wait = driver.machine.records.get('api/a');
    driver.random = () => 1;
    lose(driver);
    expect(driver.news()).toEqual([]);
    expect(driver.machine.records.get('api/a')).toEqual(wait);
  });

  it('waits between 50 ms and a doubling bound before it is contested again', () => {
    const driver = lose(Driver.registered());
    driver.synced({ 'api/a': WRITTEN });
    lose(driver);
    // contests = 1: up to 400 ms, half of it drawn here.
    expect(driver.asked).toEqual([]);
    expect(driver.delayMs).toBe(200);
    expect(driver.due().asked).toEqual(['sync! claim api/a=1']);
    driver.synced({ 'api/a': WRITTEN });
    lose(driver);
    expect(driver.delayMs).toBe(400);
  });

  it('is over once the record was held for longer than a rival waits', () => {
    const driver = lose(Driver.registered());
    driver.synced({ 'api/a': WRITTEN });
    const wonAt = driver.now;
    const standing = () => driver.machine.records.get('api/a')?.standing;
    const overAt = wonAt + 2 * REGISTRY_BACKOFF.capMs + TTL_MS;
    while (driver.now + 3_000 < overAt) {
      driver.due().synced({ 'api/a': HELD });
      expect(standing()).toMatchObject({ contests: 1 });
    }
    driver.due().synced({ 'api/a': HELD });
    expect(standing()).toMatchObject({ contests: 0 });
    expect(lose(driver).asked).toEqual(['sync claim api/a=1']);
  });

  it('between two processes that never give in becomes as rare as the backoff allows', () => {
    const random = seededRandom(12);
    const rivals = ['one', 'other'].map((value) => {
      const driver = new Driver().want('api/a', value);
      driver.random = random;
      return { driver, lease: value };
    });
    let record: { lease: string; value: string } | undefined;
    const writes: number[] = [];
    for (const { driver, lease } of rivals) driver.granted(lease);
    const dueAt = new Map(rivals.map(({ lease }) => [lease, 0]));
    while (Math.min(...dueAt.values()) < 3_600_000) {
      const [next] = rivals.toSorted((a, b) => dueAt.get(a.lease)! - dueAt.get(b.lease)!);
      const { driver, lease } = next!;
      driver.now = dueAt.get(lease)!;
      if (driver.machine.phase.name === 'resting') driver.feed({ type: 'timer' });
      for (let asked = driver.asked; asked.length > 0; asked = driver.asked) {
        const claims = asked[0]!.includes('claim');
        const found = record;
        if (found?.lease === lease) driver.synced({ 'api/a': HELD });
        else if (found === undefined || claims) {
          record = { lease, value: lease };
          writes.push(driver.now);
          driver.synced({ 'api/a': found ? displacing(found.value, found.lease) : WRITTEN });
        } else driver.synced({ 'api/a': foreign(found.value) });
      }
      dueAt.set(lease, driver.now + driver.delayMs!);
    }
    const inLast = (fromMs: number) => writes.filter((at) => at >= fromMs).length;
    // Each waits 15 s on average, and finds out within a keepalive that it lost.
    expect(inLast(3_600_000 - 600_000)).toBeLessThan(60);
    expect(inLast(3_600_000 - 600_000)).toBeGreaterThan(20);
  });

  it('that ends by itself is told as registered', () => {
    const driver = lose(Driver.registered());
    driver.news();
    driver.synced({ 'api/a': HELD });
    expect(driver.news()).toEqual(['registered']);
  });

  it('about one record leaves the others alone', () => {
    const driver = Driver.registered().want('api/b', '2');
    driver.synced({ 'api/a': HELD, 'api/b': WRITTEN }).news();
    driver.due().synced({ 'api/a': foreign('theirs'), 'api/b': HELD });
    expect(driver.asked).toEqual(['sync claim api/a=1 verify api/b=2']);
  });
});

describe('a record that another process claims too', () => {
  const THEIRS = '{"Op":0,"Addr":"h:1","Metadata":null}';
  const theirs = (value = THEIRS, leaseId = 'R'): RecordObservation => ({
    name: 'foreign',
    value,
    leaseId,
    contested: false,
  });
  /** Ours again, after another process wrote it. */
  const contested = (found = theirs()): Driver =>
    Driver.registered().due().synced({ 'api/a': found }).synced({ 'api/a': WRITTEN });
  const plain = { key: 'api/a', value: '1', mode: 'remove' };

  it('goes to that process instead of being deleted', () => {
    const heir = { leaseId: 'R', value: THEIRS };
    expect(removal(contested())).toEqual([{ ...plain, heir }]);
    expect(removal(contested().due().synced({ 'api/a': HELD }))).toEqual([{ ...plain, heir }]);
    const leaving = two().due().synced({ 'api/a': theirs(), 'api/b': HELD });
    leaving.synced({ 'api/a': WRITTEN, 'api/b': HELD });
    const step = stepLease(
      leaving.machine,
      { type: 'unwant', keys: ['api/a'] },
      contextAt(leaving.now),
    );
    expect(step.effects).toMatchObject([{ type: 'sync', records: [{ ...plain, heir }, {}] }]);
  });

  it('goes to the process that it was taken over from, which may be alive and not have looked yet', () => {
    const driver = new Driver().want('api/a').granted();
    driver.synced({ 'api/a': displacing(THEIRS) });
    const heir = { leaseId: 'R', value: THEIRS };
    expect(removal(driver)).toEqual([{ ...plain, heir }]);
    const { now } = driver;
    while (driver.now - now < 2 * REGISTRY_BACKOFF.capMs + TTL_MS) {
      driver.due().synced({ 'api/a': HELD });
    }
    expect(removal(driver)).toEqual([plain]);
  });

  it('is deleted where nothing else ever claimed it, or what did leaves, or has no lease', () => {
    const draining = `${THEIRS.slice(0, -1)},"Discovery":{"draining":true}}`;
    expect(removal(Driver.registered())).toEqual([plain]);
    expect(removal(contested(theirs(draining)))).toEqual([plain]);
    expect(removal(contested(theirs(THEIRS, '0')))).toEqual([plain]);
    expect(removal(contested(theirs('no record')))).toEqual([plain]);
  });

  it('is deleted once the other process has not written it for longer than it would wait', () => {
    const driver = contested();
    const { now } = driver;
    while (driver.now - now < 2 * REGISTRY_BACKOFF.capMs + TTL_MS) {
      driver.due().synced({ 'api/a': HELD });
    }
    expect(removal(driver)).toEqual([plain]);
  });
});

describe('with the registry away', () => {
  it('the same lease is kept, attempts have no end and no delay is longer than 30 s', () => {
    const driver = Driver.registered().due();
    driver.random = () => 1;
    const delays: number[] = [];
    for (let attempt = 0; attempt < 500; attempt++) {
      driver.failed();
      delays.push(driver.delayMs ?? Number.NaN);
      expect(driver.due().asked).toEqual(['sync! verify api/a=1']);
    }
    expect(delays.slice(0, 9)).toEqual([
      200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000,
    ]);
    expect(Math.max(...delays)).toBe(30_000);
    expect(driver.machine.phase).toMatchObject({ lease: { id: 'L' } });
  });

  it('the registry is back after a long time: a first failure is retried soon', () => {
    const driver = Driver.registered().due();
    driver.random = () => 1;
    for (let attempt = 0; attempt < 20; attempt++) driver.failed().due();
    driver.failed().feed({ type: 'registry-was-away' }).failed();
    expect(driver.delayMs).toBe(400);
    // Also where a request was still under way.
    for (let attempt = 0; attempt < 20; attempt++) driver.due().failed();
    driver.due().feed({ type: 'registry-was-away' }).failed();
    expect(driver.delayMs).toBe(400);
    expect(driver.told.filter(({ type }) => type === 'lease-unreachable')).toHaveLength(1);
  });

  it('the lease is renewed in time though a record under it is refused again and again', () => {
    const driver = Driver.registered().due();
    driver.random = () => 1;
    for (let attempt = 0; attempt < 50; attempt++) {
      const renewedAt = driver.now;
      driver.feed({ type: 'failed', error: AWAY, renewedAt });
      expect(driver.delayMs).toBeLessThanOrEqual((TTL_MS / 3) * 1.1);
      driver.due();
    }
    expect(driver.told).toMatchObject([{ type: 'lease-unreachable' }]);
  });

  it('a record that went in counts, though another one was refused beside it', () => {
    const driver = new Driver().want('api/a').want('api/b', '2').granted();
    const observations = new Map([['api/a', WRITTEN]]);
    driver.feed({ type: 'failed', error: AWAY, renewedAt: driver.now, observations });
    expect(driver.news()).toEqual(['lease-granted', 'lease-unreachable', 'registered']);
    expect(driver.machine.records.get('api/a')?.standing.name).toBe('held');
    expect(driver.machine.records.get('api/b')?.standing.name).toBe('unwritten');
  });

  it('that it answers again is told once, and not before all of it works again', () => {
    const driver = Driver.registered().due().failed().due().feed({ type: 'lease-gone' });
    driver.granted('M').failed().due();
    expect(driver.news()).toEqual(['lease-unreachable', 'lease-lost', 'lease-granted']);
    driver.synced({ 'api/a': WRITTEN }).due().synced({ 'api/a': HELD });
    expect(driver.news()).toEqual(['lease-recovered', 'registered']);
  });

  it('a failure that follows a pause is told', () => {
    const driver = new Driver().want('api/a').granted().feed({ type: 'lease-gone' });
    expect(driver.due().failed().news()).toContain('lease-unreachable');
  });

  it('leases that are gone as soon as they are granted are not asked for without a pause', () => {
    const driver = new Driver().want('api/a').granted();
    driver.feed({ type: 'lease-gone' });
    expect(driver.machine.phase.name).toBe('backing-off');
    expect(driver.delayMs).toBeGreaterThan(0);
    expect(driver.due().asked).toEqual(['grant']);
  });

  it('leases that are gone before they were renewed once are asked for ever more rarely', () => {
    const driver = Driver.registered();
    const startedAt = driver.now;
    for (let lease = 0; lease < 20; lease++) {
      driver.due().feed({ type: 'lease-gone' });
      if (driver.machine.phase.name === 'backing-off') driver.due();
      driver.granted().synced({ 'api/a': HELD });
    }
    expect(driver.now - startedAt).toBeGreaterThan(200_000);
    // One that is renewed shows that leases live: the next loss is made good at once.
    driver.due().synced({ 'api/a': HELD });
    driver.due().feed({ type: 'lease-gone' });
    expect(driver.machine.phase.name).toBe('granting');
  });

  it('it is told once that it is away, once that the lease ran out, once that it is back', () => {
    const driver = Driver.registered().due();
    for (let attempt = 0; attempt < 100; attempt++) driver.failed().due();
    driver.synced({ 'api/a': HELD });
    expect(driver.told).toEqual([
      { type: 'lease-unreachable', error: AWAY, retryInMs: 100 },
      { type: 'lease-expired', leaseId: 'L' },
      { type: 'lease-recovered', leaseId: 'L' },
      { type: 'registered', key: 'api/a', leaseId: 'L' },
    ]);
    driver.news();
    driver.due().synced({ 'api/a': HELD });
    expect(driver.news()).toEqual([]);
  });

  it('the lease is told to have run out only when more than its time to live has passed', () => {
    const driver = Driver.registered();
    driver.now = TTL_MS;
    driver.feed({ type: 'timer' }).failed();
    expect(driver.news()).toEqual(['lease-unreachable']);
    driver.now = TTL_MS + 1;
    driver.feed({ type: 'timer' }).failed();
    expect(driver.news()).toEqual(['lease-expired']);
  });

  it('a request that failed after it had renewed the lease counts as a renewal', () => {
    const driver = Driver.registered();
    driver.now = TTL_MS;
    driver.feed({ type: 'timer' }).failed(TTL_MS);
    driver.now = 2 * TTL_MS;
    driver.feed({ type: 'timer' }).failed();
    expect(driver.news()).toEqual(['lease-unreachable']);
  });

  it('a record that is refused for ever does not let the lease of the others run out', () => {
    const driver = Driver.registered().due();
    driver.random = () => 1;
    for (let attempt = 0; attempt < 50; attempt++) {
      driver.failed(driver.now);
      expect(driver.delayMs).toBeLessThanOrEqual(3_300);
      expect(driver.due().asked).toEqual(['sync! verify api/a=1']);
    }
    expect(driver.news()).toEqual(['lease-unreachable']);
  });

  it('a lease that ran out, was renewed and runs out again is told twice', () => {
    const driver = Driver.registered();
    driver.now = TTL_MS + 1;
    driver.feed({ type: 'timer' }).failed();
    driver.feed({ type: 'timer' }).failed(driver.now);
    driver.now += TTL_MS + 1;
    driver.feed({ type: 'timer' }).failed();
    expect(driver.news()).toEqual(['lease-unreachable', 'lease-expired', 'lease-expired']);
  });

  it('a lease that is gone when it is back makes way for a new one', () => {
    const driver = Driver.registered().due().failed().due().feed({ type: 'lease-gone' });
    expect(driver.asked).toEqual(['grant']);
    driver.granted('M').synced({ 'api/a': WRITTEN });
    expect(driver.news()).toEqual([
      'lease-unreachable',
      'lease-lost',
      'lease-granted',
      'lease-recovered',
      'registered',
    ]);
  });

  it('at start it is asked for a lease without end, told once', () => {
    const driver = new Driver().want('api/a');
    for (let attempt = 0; attempt < 100; attempt++) {
      driver.failed();
      expect(driver.delayMs).toBeLessThanOrEqual(30_000);
      expect(driver.due().asked).toEqual(['grant']);
    }
    expect(driver.granted().asked).toEqual(['sync claim api/a=1']);
    expect(driver.synced({ 'api/a': WRITTEN }).news()).toEqual([
      'lease-unreachable',
      'lease-granted',
      'lease-recovered',
      'registered',
    ]);
  });

  it('a sign that it is back cuts the wait short', () => {
    const driver = Driver.registered().due().failed();
    expect(driver.feed({ type: 'registry-back' }).asked).toEqual(['sync! verify api/a=1']);
    const starting = new Driver().want('api/a').failed();
    expect(starting.feed({ type: 'registry-back' }).asked).toEqual(['grant']);
  });

  it('delays are drawn with full jitter', () => {
    const driver = Driver.registered().due();
    driver.random = () => 0;
    expect(driver.failed().delayMs).toBe(50);
    driver.random = () => 0.75;
    expect(driver.due().failed().delayMs).toBe(300);
  });

  it('delays start anew after it answered', () => {
    const driver = Driver.registered().due();
    for (let attempt = 0; attempt < 5; attempt++) driver.failed().due();
    driver.synced({ 'api/a': HELD }).due();
    expect(driver.failed().delayMs).toBe(100);
  });

  it('wishes made meanwhile are seen to with the next attempt', () => {
    const driver = Driver.registered().due().failed().want('api/b', '2').want('api/a', '3');
    expect(driver.asked).toEqual([]);
    expect(driver.due().asked).toEqual(['sync! verify api/a=3 claim api/b=2']);
  });

  it('a record that is to come out is not left until the next attempt: the registry may answer', () => {
    const leaving = Driver.registered().due().failed().unwant('api/a');
    expect(leaving.asked).toEqual(['revoke L']);
    const beside = two().due().failed().unwant('api/a');
    expect(beside.asked).toEqual(['sync! remove api/a=1 verify api/b=2']);
    const never = new Driver().want('api/a').failed().unwant('api/a');
    expect(never.machine).toEqual(INITIAL_LEASE_MACHINE);
    expect(never.due().asked).toEqual([]);
    const starting = new Driver().want('api/a').want('api/b', '2').failed().unwant('api/a');
    expect(starting.asked).toEqual([]);
    expect(starting.due().asked).toEqual(['grant']);
    expect(starting.granted().asked).toEqual(['sync claim api/b=2']);
  });

  it('a removal that was wished for while an attempt was under way gets one of its own', () => {
    const driver = two().due().failed().unwant('api/a').unwant('api/b');
    expect(driver.failed().asked).toEqual(['revoke L']);
    expect(driver.failed().asked).toEqual([]);
    expect(driver.machine.phase.name).toBe('backing-off');
    const syncing = Driver.registered().due().unwant('api/a').failed();
    expect(syncing.asked).toEqual(['revoke L']);
    expect(syncing.feed({ type: 'revoked' }).machine).toEqual(INITIAL_LEASE_MACHINE);
    const granting = new Driver().want('api/a').unwant('api/a').failed();
    expect(granting.machine).toEqual(INITIAL_LEASE_MACHINE);
  });

  it('a wish for a record waits for the next attempt, though another one is to come out', () => {
    const driver = two().due().unwant('api/a').failed().failed().want('api/c', '3');
    expect(driver.asked).toEqual([]);
    expect(driver.due().asked).toEqual(['sync! remove api/a=1 verify api/b=2 claim api/c=3']);
  });
});

describe('a record that the registry refuses', () => {
  it('is told once, and tried again with backoff, while the lease is kept alive', () => {
    const driver = new Driver().want('api/a').want('api/b', '2').granted();
    driver.random = () => 1;
    const delays: number[] = [];
    for (let attempt = 0; attempt < 30; attempt++) {
      driver.refused({ 'api/a': attempt === 0 ? WRITTEN : HELD }, 'api/b');
      delays.push(driver.delayMs ?? Number.NaN);
      expect(driver.due().asked).toEqual(['sync! verify api/a=1 claim api/b=2']);
    }
    expect(delays.slice(0, 4)).toEqual([200, 400, 800, 1_600]);
    expect(Math.max(...delays)).toBeLessThanOrEqual((TTL_MS / 3) * 1.1);
    expect(driver.told).toEqual([
      { type: 'lease-granted', leaseId: 'L', ttlMs: TTL_MS },
      { type: 'registered', key: 'api/a', leaseId: 'L' },
      { type: 'record-refused', key: 'api/b', error: REFUSED, retryInMs: 200 },
    ]);
    driver.news();
    driver.synced({ 'api/a': HELD, 'api/b': WRITTEN });
    expect(driver.told).toEqual([{ type: 'registered', key: 'api/b', leaseId: 'L' }]);
  });

  it('with a new value is told as registered once it has that or the old one again', () => {
    const changed = Driver.registered().want('api/a', '2').refused({}, 'api/a');
    changed.due().synced({ 'api/a': { name: 'written', displaced: undefined, updated: true } });
    expect(changed.news()).toEqual(['record-refused', 'registered']);
    const back = Driver.registered().want('api/a', '2').refused({}, 'api/a').want('api/a', '1');
    expect(back.due().synced({ 'api/a': HELD }).news()).toEqual(['record-refused', 'registered']);
  });

  it('is told again with another value, and after the registry was away', () => {
    const driver = Driver.registered().want('api/a', '2').refused({}, 'api/a');
    driver.want('api/a', '3').due().refused({}, 'api/a');
    expect(driver.news()).toEqual(['record-refused', 'record-refused']);
    driver.due().failed().due().refused({}, 'api/a');
    expect(driver.news()).toEqual(['lease-unreachable', 'lease-recovered', 'record-refused']);
  });

  it('that is to come out gets an attempt at once', () => {
    const driver = two().want('api/a', '2').unwant('api/b').refused({ 'api/b': HELD }, 'api/a');
    expect(driver.asked).toEqual(['sync! verify api/a=2 remove api/b=2']);
    driver.refused({ 'api/b': REMOVED }, 'api/a');
    expect(driver.news()).toEqual(['record-refused', 'deregistered']);
  });

  it('stays in conflict where it is, and is told when it is won', () => {
    const driver = lose(Driver.registered()).refused({}, 'api/a');
    expect(driver.machine.records.get('api/a')?.standing.name).toBe('contested');
    expect(driver.due().synced({ 'api/a': WRITTEN }).news()).toEqual([
      'conflict',
      'record-refused',
      'registered',
    ]);
  });
});

describe('taking out', () => {
  it('one of two records is removed by its key, the lease stays', () => {
    const driver = two().unwant('api/a');
    expect(driver.asked).toEqual(['sync remove api/a=1 verify api/b=2']);
    driver.synced({ 'api/a': REMOVED, 'api/b': HELD });
    expect(driver.told).toEqual([{ type: 'deregistered', key: 'api/a' }]);
    expect([...driver.machine.records.keys()]).toEqual(['api/b']);
    expect(driver.due().asked).toEqual(['sync! verify api/b=2']);
  });

  it('the last record goes with the lease, and the machine is as at first', () => {
    const driver = two().unwant('api/a').synced({ 'api/a': REMOVED, 'api/b': HELD });
    expect(driver.unwant('api/b').asked).toEqual(['revoke L']);
    expect(driver.feed({ type: 'revoked' }).news()).toEqual(['deregistered', 'deregistered']);
    expect(driver.machine).toEqual(INITIAL_LEASE_MACHINE);
    expect(driver.want('api/c').asked).toEqual(['grant']);
  });

  it('while a request is in flight waits for its answer', () => {
    const driver = two().due().unwant('api/a');
    expect(driver.asked).toEqual([]);
    driver.synced({ 'api/a': HELD, 'api/b': HELD });
    expect(driver.asked).toEqual(['sync remove api/a=1 verify api/b=2']);
  });

  it('a record that is wanted again during its removal is written again', () => {
    const driver = two().unwant('api/a').want('api/a', '3');
    driver.synced({ 'api/a': REMOVED, 'api/b': HELD });
    expect(driver.asked).toEqual(['sync claim api/a=3 verify api/b=2']);
    driver.synced({ 'api/a': WRITTEN, 'api/b': HELD });
    expect(driver.news()).toEqual(['deregistered', 'registered']);
  });

  it('a record that is wanted again during the revocation gets a new lease', () => {
    const driver = Driver.registered().unwant('api/a').want('api/a', '3');
    expect(driver.feed({ type: 'revoked' }).asked).toEqual(['grant']);
    driver.granted('M').synced({ 'api/a': WRITTEN });
    expect(driver.news()).toEqual(['lease-granted', 'registered']);
  });

  it('a record that is wanted again before its removal succeeded is told as registered', () => {
    const alone = Driver.registered().unwant('api/a').failed().want('api/a');
    expect(alone.due().asked).toEqual(['sync! verify api/a=1']);
    alone.synced({ 'api/a': HELD });
    expect(alone.news()).toContain('registered');
    // Its removal was announced, and no more: it stands there with another value.
    const changed = Driver.registered().unwant('api/a').failed().want('api/a').due();
    changed.synced({ 'api/a': { name: 'written', displaced: undefined, updated: true } });
    expect(changed.news()).toContain('registered');
    const beside = two().due().failed().unwant('api/a').failed().want('api/a', '3').due();
    beside.synced({ 'api/a': HELD, 'api/b': HELD });
    expect(beside.told).toContainEqual({ type: 'registered', key: 'api/a', leaseId: 'L' });
  });

  it('a revocation that fails is tried again', () => {
    const driver = Driver.registered().unwant('api/a').failed();
    expect(driver.due().asked).toEqual(['revoke L']);
    expect(driver.feed({ type: 'revoked' }).news()).toEqual(['lease-unreachable', 'deregistered']);
  });

  it('a record that another process holds is still asked to be removed, which spares theirs', () => {
    const driver = two().due();
    driver.synced({ 'api/a': foreign('theirs'), 'api/b': HELD });
    driver.unwant('api/a').synced({ 'api/a': foreign('theirs'), 'api/b': HELD });
    expect(driver.asked).toEqual(['sync remove api/a=1 verify api/b=2']);
  });
});

describe('a record that another process holds', () => {
  it('is not told as taken out when it is spared', () => {
    const driver = two()
      .due()
      .synced({ 'api/a': foreign('theirs'), 'api/b': HELD });
    driver.synced({ 'api/a': foreign('theirs', true), 'api/b': HELD }).unwant('api/a');
    driver.synced({ 'api/a': SPARED, 'api/b': HELD });
    expect(driver.news()).toEqual(['conflict', 'conflict']);
    expect([...driver.machine.records.keys()]).toEqual(['api/b']);
  });

  it('is looked for until that process has forgotten us, and removed where it came back', () => {
    const driver = two().unwant('api/a').synced({ 'api/a': SPARED, 'api/b': HELD });
    const sparedAt = driver.now;
    while (driver.now - sparedAt < 2 * REGISTRY_BACKOFF.capMs + TTL_MS) {
      expect(driver.due().asked).toEqual(['sync! verify api/b=2 remove api/a=1']);
      driver.synced({ 'api/a': REMOVED, 'api/b': HELD });
    }
    for (let keepalive = 0; keepalive < 5; keepalive++) driver.due().synced({ 'api/b': HELD });
    expect(driver.due().asked).toEqual(['sync! verify api/b=2']);
    expect(driver.news()).toEqual([]);
  });

  it('is looked for as well where another request of its removal failed, and no more with another lease', () => {
    const driver = two().unwant('api/a');
    driver.feed({ type: 'failed', error: AWAY, observations: new Map([['api/a', SPARED]]) });
    expect(driver.due().asked).toEqual(['sync! verify api/b=2 remove api/a=1']);
    driver.feed({ type: 'lease-gone' }).granted('M').synced({ 'api/b': WRITTEN });
    expect(driver.due().asked).toEqual(['sync! verify api/b=2']);
  });

  it('is not removed once it is ours again', () => {
    const driver = two().unwant('api/a').synced({ 'api/a': SPARED, 'api/b': HELD });
    driver.want('api/a').synced({ 'api/a': WRITTEN, 'api/b': HELD });
    expect(driver.due().asked).toEqual(['sync! verify api/b=2 verify api/a=1']);
  });

  it('is not told as taken out when our lease ends, whether it was looked at or not', () => {
    const lost = (): Driver => lose(Driver.registered()).synced({ 'api/a': foreign('x', true) });
    expect(lost().feed({ type: 'stop' }).feed({ type: 'revoked' }).news()).toEqual([
      'conflict',
      'conflict',
    ]);
    const observations = new Map([['api/a', SPARED]]);
    const unseen = Driver.registered().unwant('api/a').feed({ type: 'revoked', observations });
    expect(unseen.news()).toEqual([]);
    const found = new Map([['api/a', REMOVED]]);
    const back = lost().unwant('api/a').feed({ type: 'revoked', observations: found });
    expect(back.news()).toContain('deregistered');
  });
});

describe('stop', () => {
  it('revokes the lease, tells every record that was written, and stays stopped', () => {
    const driver = Driver.registered().want('api/b', '2').feed({ type: 'stop' });
    expect(driver.asked).toEqual(['revoke L']);
    driver.feed({ type: 'revoked' });
    expect(driver.told).toEqual([{ type: 'deregistered', key: 'api/a' }]);
    expect(driver.machine.phase.name).toBe('stopped');
    for (const event of Object.values(EVENTS)) {
      expect(driver.feed(event).asked).toEqual([]);
      expect(driver.machine.phase.name).toBe('stopped');
    }
  });

  it('announces also the records whose first write is not answered yet: they may be there', () => {
    const driver = new Driver().want('api/a').granted();
    const step = stepLease(driver.machine, { type: 'stop' }, contextAt(0));
    expect(step.effects).toMatchObject([{ type: 'revoke', records: [{ key: 'api/a' }] }]);
    const there = new Map([['api/a', REMOVED]]);
    driver.feed({ type: 'stop' }).feed({ type: 'revoked', observations: there });
    expect(driver.news()).toEqual(['lease-granted', 'deregistered']);
  });

  it('does not try a revocation again that failed: the lease runs out by itself', () => {
    const driver = Driver.registered().feed({ type: 'stop' }).failed();
    expect(driver.machine.phase.name).toBe('stopped');
    expect(driver.news()).toEqual([]);
  });

  it('revokes a lease that is being granted as soon as its id is known, and writes nothing', () => {
    const driver = new Driver().want('api/a').feed({ type: 'stop' }).granted();
    expect(driver.asked).toEqual(['revoke L']);
    driver.feed({ type: 'revoked' });
    expect(driver.machine.phase.name).toBe('stopped');
  });

  it('ends with a grant that fails, or that is not waited for any longer', () => {
    expect(granting().failed().machine.phase.name).toBe('stopped');
    const given = granting().feed({ type: 'stop' });
    expect(given.machine.phase.name).toBe('stopped');
    expect(given.granted().asked).toEqual([]);
  });

  it('ends with a revocation that is under way, whichever way that ends', () => {
    expect(revoking().asked).toEqual([]);
    expect(revoking().feed({ type: 'revoked' }).machine.phase.name).toBe('stopped');
    expect(revoking().failed().machine.phase.name).toBe('stopped');
  });

  it('takes the answer that a lease is gone as revoked', () => {
    const driver = Driver.registered().feed({ type: 'stop' }).feed({ type: 'lease-gone' });
    expect(driver.machine.phase.name).toBe('stopped');
    expect(driver.news()).toEqual(['deregistered']);
  });
});
