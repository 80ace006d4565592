import { describe, expect, it } from 'vitest';
import { stepLease } from '../../../../lib/core/lease/lease-machine.js';
import type { LeaseRecord } from '../../../../lib/core/lease/lease-record.js';
import {
  type HeldLease,
  INITIAL_LEASE_MACHINE,
  type LeaseEvent,
  type LeaseMachine,
  type LeasePhase,
} from '../../../../lib/core/lease/lease-types.js';
import {
  AWAY,
  contextAt,
  displacing,
  Driver,
  foreign,
  HELD,
  REFUSED,
  REMOVED,
  summary,
  TTL_MS,
  two,
  WRITTEN,
} from './lease-driver.js';

const LEASE: HeldLease = { id: 'L', ttlMs: TTL_MS, renewedAt: 0 };

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

/** One state of each phase, with the record `api/a`. */
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

/**
 * For each phase and event: the phase that follows, then the effects. `=`: the same state, and no effects.
 */
const IGNORED = '=';
const TABLE: Record<keyof typeof PHASES, Record<keyof typeof EVENTS, string>> = {
  idle: {
    want: 'granting: grant',
    unwant: IGNORED,
    stop: 'stopped:',
    timer: IGNORED,
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
    'registry-was-away': IGNORED,
    granted: IGNORED,
    synced: IGNORED,
    refused: IGNORED,
    'lease-gone': 'stopped: deregistered',
    revoked: 'stopped: deregistered',
    failed: 'stopped: lease-left',
  },
  stopped: {
    want: 'stopped:',
    unwant: 'stopped:',
    stop: IGNORED,
    timer: IGNORED,
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
    'in the phase %s the machine keeps a wish of the caller until the request in flight is answered',
    (phase) => {
      const { machine: after } = stepLease(PHASES[phase], EVENTS.want, contextAt(0));
      expect(after.dirty).toBe(true);
      expect(after.phase).toEqual(PHASES[phase].phase);
      expect(after.records.get('api/b')).toMatchObject({ value: '2', wanted: true });
    },
  );

  it('does not change the state from which it starts', () => {
    const before = structuredClone(PHASES.resting);
    for (const event of Object.values(EVENTS)) stepLease(PHASES.resting, event, contextAt(1_000));
    expect(PHASES.resting).toEqual(before);
  });
});

/** A driver that was stopped while its lease was being granted. */
function granting(): Driver {
  return new Driver().want('api/a').feed({ type: 'stop' });
}

/** A driver that was stopped while it revoked its lease, because its last record was removed. */
function revoking(): Driver {
  return Driver.registered().unwant('api/a').feed({ type: 'stop' });
}

describe('the lease machine, when it registers records,', () => {
  it('grants a lease, writes the record, then renews and verifies without end', () => {
    const driver = new Driver().want('api/a');
    expect(driver.asked).toEqual(['grant']);
    driver.now = 5;
    expect(driver.granted().asked).toEqual(['sync claim api/a=1']);
    driver.synced({ 'api/a': WRITTEN });
    expect(driver.emitted).toEqual([
      { type: 'lease-granted', leaseId: 'L', ttlMs: TTL_MS },
      { type: 'registered', key: 'api/a', leaseId: 'L' },
    ]);
    driver.newEvents();
    for (let cycle = 0; cycle < 50; cycle++) {
      expect(driver.delayMs).toBe(TTL_MS / 3);
      expect(driver.due().asked).toEqual(['sync! verify api/a=1']);
      driver.synced({ 'api/a': HELD });
    }
    expect(driver.newEvents()).toEqual([]);
  });

  it.each([
    [0, 2_700],
    [0.5, 3_000],
    [1, 3_300],
  ])(
    'renews the lease after a third of its time to live, ±10 %% (random %d → %i ms)',
    (draw, delayMs) => {
      const driver = new Driver();
      driver.random = () => draw;
      driver.want('api/a').granted().synced({ 'api/a': WRITTEN });
      expect(driver.delayMs).toBeCloseTo(delayMs, 6);
    },
  );

  it('counts the keepalive interval from the moment the renewal was sent, not answered', () => {
    const driver = Driver.registered();
    driver.due();
    const sentAt = driver.now;
    driver.now += 1_000;
    driver.feed({ type: 'synced', observations: new Map([['api/a', HELD]]), at: sentAt });
    expect(driver.delayMs).toBe(2_000);
  });

  it('does not delay the next keepalive if a sync comes before it', () => {
    const driver = Driver.registered();
    driver.now = 2_000;
    driver.want('api/b').synced({ 'api/a': HELD, 'api/b': WRITTEN });
    expect(driver.delayMs).toBe(1_000);
  });

  it('renews at once after an answer that took longer than the keepalive interval', () => {
    const driver = Driver.registered();
    driver.now = 8_000;
    driver.want('api/b').synced({ 'api/a': HELD, 'api/b': WRITTEN });
    expect(driver.delayMs).toBe(0);
  });

  it('takes over the record that an earlier process left under its key', () => {
    const driver = new Driver().want('api/a').granted();
    driver.synced({ 'api/a': displacing('old') });
    expect(driver.emitted.slice(1)).toEqual([
      { type: 'record-taken-over', key: 'api/a', previousValue: 'old' },
      { type: 'registered', key: 'api/a', leaseId: 'L' },
    ]);
  });

  it('writes a second record under the same lease', () => {
    const driver = Driver.registered().want('api/b', '2');
    expect(driver.asked).toEqual(['sync verify api/a=1 claim api/b=2']);
    driver.synced({ 'api/a': HELD, 'api/b': WRITTEN });
    expect(driver.newEvents()).toEqual(['registered']);
    expect(driver.due().asked).toEqual(['sync! verify api/a=1 verify api/b=2']);
  });

  it('writes a changed value at once, and emits no event for the change', () => {
    const driver = Driver.registered().want('api/a', '2');
    expect(driver.asked).toEqual(['sync verify api/a=2']);
    driver.synced({ 'api/a': { name: 'written', displaced: undefined, updated: true } });
    expect(driver.newEvents()).toEqual([]);
    expect(driver.machine.phase.name).toBe('resting');
  });

  it('writes a value that changed during a request, after the request is answered', () => {
    const driver = new Driver().want('api/a').granted().want('api/a', '2');
    expect(driver.asked).toEqual([]);
    expect(driver.synced({ 'api/a': WRITTEN }).asked).toEqual(['sync verify api/a=2']);
    driver.synced({ 'api/a': { name: 'written', displaced: undefined, updated: true } });
    expect(driver.asked).toEqual([]);
    expect(driver.machine.phase.name).toBe('resting');
  });

  it('writes a record that the caller wants during the grant together with the first record', () => {
    const driver = new Driver().want('api/a').want('api/b', '2');
    expect(driver.granted().asked).toEqual(['sync claim api/a=1 claim api/b=2']);
  });

  it('writes a missing key again and emits record-restored', () => {
    const driver = Driver.registered().due();
    driver.synced({ 'api/a': WRITTEN });
    expect(driver.emitted).toEqual([{ type: 'record-restored', key: 'api/a' }]);
  });

  it('replaces a lost lease at once, and writes the records of the lost lease again', () => {
    const driver = Driver.registered().due().feed({ type: 'lease-gone' });
    expect(driver.asked).toEqual(['grant']);
    expect(driver.granted('M').asked).toEqual(['sync verify api/a=1']);
    driver.synced({ 'api/a': WRITTEN });
    expect(driver.emitted).toEqual([
      { type: 'lease-lost', leaseId: 'L' },
      { type: 'lease-granted', leaseId: 'M', ttlMs: TTL_MS },
      { type: 'registered', key: 'api/a', leaseId: 'M' },
    ]);
  });

  it('reports a conflict, and does not take over, if another process wrote the key while the lease was lost', () => {
    const driver = Driver.registered().due().feed({ type: 'lease-gone' }).granted('M');
    driver.newEvents();
    driver.synced({ 'api/a': foreign('theirs') });
    expect(driver.emitted).toEqual([{ type: 'conflict', key: 'api/a', foreignValue: 'theirs' }]);
  });
});

describe('the lease machine, when it removes records,', () => {
  it('removes one of two records, and keeps the lease', () => {
    const driver = two().unwant('api/a');
    expect(driver.asked).toEqual(['sync remove api/a=1 verify api/b=2']);
    driver.synced({ 'api/a': REMOVED, 'api/b': HELD });
    expect(driver.emitted).toEqual([{ type: 'deregistered', key: 'api/a' }]);
    expect([...driver.machine.records.keys()]).toEqual(['api/b']);
    expect(driver.due().asked).toEqual(['sync! verify api/b=2']);
  });

  it('revokes the lease with its last record, and returns to the initial state', () => {
    const driver = two().unwant('api/a').synced({ 'api/a': REMOVED, 'api/b': HELD });
    expect(driver.unwant('api/b').asked).toEqual(['revoke L']);
    expect(driver.feed({ type: 'revoked' }).newEvents()).toEqual(['deregistered', 'deregistered']);
    expect(driver.machine).toEqual(INITIAL_LEASE_MACHINE);
    expect(driver.want('api/c').asked).toEqual(['grant']);
  });

  it('sends a removal only after the answer to the request in flight', () => {
    const driver = two().due().unwant('api/a');
    expect(driver.asked).toEqual([]);
    driver.synced({ 'api/a': HELD, 'api/b': HELD });
    expect(driver.asked).toEqual(['sync remove api/a=1 verify api/b=2']);
  });

  it('writes a record again if the caller wants it again during the removal', () => {
    const driver = two().unwant('api/a').want('api/a', '3');
    driver.synced({ 'api/a': REMOVED, 'api/b': HELD });
    expect(driver.asked).toEqual(['sync claim api/a=3 verify api/b=2']);
    driver.synced({ 'api/a': WRITTEN, 'api/b': HELD });
    expect(driver.newEvents()).toEqual(['deregistered', 'registered']);
  });

  it('grants a new lease if the caller wants a record again during the revocation', () => {
    const driver = Driver.registered().unwant('api/a').want('api/a', '3');
    expect(driver.feed({ type: 'revoked' }).asked).toEqual(['grant']);
    driver.granted('M').synced({ 'api/a': WRITTEN });
    expect(driver.newEvents()).toEqual(['lease-granted', 'registered']);
  });

  it('emits registered if the caller wants a record again after the removal failed', () => {
    const alone = Driver.registered().unwant('api/a').failed().want('api/a');
    expect(alone.due().asked).toEqual(['sync! verify api/a=1']);
    alone.synced({ 'api/a': HELD });
    expect(alone.newEvents()).toContain('registered');
    // Only the announcement of the record's removal was written: the registry has the draining value.
    const changed = Driver.registered().unwant('api/a').failed().want('api/a').due();
    changed.synced({ 'api/a': { name: 'written', displaced: undefined, updated: true } });
    expect(changed.newEvents()).toContain('registered');
    const beside = two().due().failed().unwant('api/a').failed().want('api/a', '3').due();
    beside.synced({ 'api/a': HELD, 'api/b': HELD });
    expect(beside.emitted).toContainEqual({ type: 'registered', key: 'api/a', leaseId: 'L' });
  });

  it('retries a failed revocation', () => {
    const driver = Driver.registered().unwant('api/a').failed();
    expect(driver.due().asked).toEqual(['revoke L']);
    expect(driver.feed({ type: 'revoked' }).newEvents()).toEqual([
      'lease-unreachable',
      'deregistered',
    ]);
  });

  it("sends the removal of a contested record too; the registry keeps the other process's record", () => {
    const driver = two().due();
    driver.synced({ 'api/a': foreign('theirs'), 'api/b': HELD });
    driver.unwant('api/a').synced({ 'api/a': foreign('theirs'), 'api/b': HELD });
    expect(driver.asked).toEqual(['sync remove api/a=1 verify api/b=2']);
  });
});

describe('the lease machine, after the event `stop`,', () => {
  it('revokes the lease, emits deregistered for each written record, and stays stopped', () => {
    const driver = Driver.registered().want('api/b', '2').feed({ type: 'stop' });
    expect(driver.asked).toEqual(['revoke L']);
    driver.feed({ type: 'revoked' });
    expect(driver.emitted).toEqual([{ type: 'deregistered', key: 'api/a' }]);
    expect(driver.machine.phase.name).toBe('stopped');
    for (const event of Object.values(EVENTS)) {
      expect(driver.feed(event).asked).toEqual([]);
      expect(driver.machine.phase.name).toBe('stopped');
    }
  });

  it('announces the removal of a record whose first write is unanswered: the registry may have the record', () => {
    const driver = new Driver().want('api/a').granted();
    const step = stepLease(driver.machine, { type: 'stop' }, contextAt(0));
    expect(step.effects).toMatchObject([{ type: 'revoke', records: [{ key: 'api/a' }] }]);
    const there = new Map([['api/a', REMOVED]]);
    driver.feed({ type: 'stop' }).feed({ type: 'revoked', observations: there });
    expect(driver.newEvents()).toEqual(['lease-granted', 'deregistered']);
  });

  it('does not retry a failed revocation, because the lease expires by itself', () => {
    const driver = Driver.registered().feed({ type: 'stop' }).failed();
    expect(driver.machine.phase.name).toBe('stopped');
    expect(driver.emitted).toEqual([
      { type: 'lease-left', leaseId: 'L', ttlMs: TTL_MS, error: AWAY },
    ]);
  });

  it('emits nothing if a grant fails, because no record is in the registry', () => {
    expect(granting().failed().newEvents()).toEqual([]);
    expect(new Driver().want('api/a').unwant('api/a').failed().newEvents()).toEqual([]);
  });

  it('revokes a lease that is being granted, once the id of the lease is known, and writes nothing', () => {
    const driver = new Driver().want('api/a').feed({ type: 'stop' }).granted();
    expect(driver.asked).toEqual(['revoke L']);
    driver.feed({ type: 'revoked' });
    expect(driver.machine.phase.name).toBe('stopped');
  });

  it('if the lease is still being granted, enters `stopped` when the grant fails, or at a second `stop`', () => {
    expect(granting().failed().machine.phase.name).toBe('stopped');
    const given = granting().feed({ type: 'stop' });
    expect(given.machine.phase.name).toBe('stopped');
    expect(given.granted().asked).toEqual([]);
  });

  it('enters `stopped` when a revocation in flight succeeds or fails', () => {
    expect(revoking().asked).toEqual([]);
    expect(revoking().feed({ type: 'revoked' }).machine.phase.name).toBe('stopped');
    expect(revoking().failed().machine.phase.name).toBe('stopped');
  });

  it('treats a lost lease as a revoked lease', () => {
    const driver = Driver.registered().feed({ type: 'stop' }).feed({ type: 'lease-gone' });
    expect(driver.machine.phase.name).toBe('stopped');
    expect(driver.newEvents()).toEqual(['deregistered']);
  });
});
