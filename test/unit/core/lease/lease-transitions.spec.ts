import { describe, expect, it } from 'vitest';
import { proceed } from '../../../../lib/core/lease/lease-transitions.js';
import { type HeldLease, INITIAL_LEASE_MACHINE } from '../../../../lib/core/lease/lease-types.js';
import { AWAY, contextAt, Driver, HELD, TTL_MS, two, WRITTEN } from './lease-driver.js';

describe('the next keepalive', () => {
  it.each([
    [0, 2_250],
    [0.5, 4_500],
    [1, 6_750],
  ])('follows keepalivesPerTtl and keepaliveJitter (random %d → %i ms)', (draw, delayMs) => {
    const lease: HeldLease = { id: 'L', ttlMs: TTL_MS, renewedAt: 500 };
    const context = { ...contextAt(500, () => draw), keepalivesPerTtl: 2, keepaliveJitter: 0.5 };
    const { machine } = Driver.registered();
    expect(proceed(machine, lease, context).effects).toEqual([{ type: 'timer', delayMs }]);
  });
});

describe('while the registry does not answer, the lease machine', () => {
  it('keeps its lease and retries without end, at most 30 s apart', () => {
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

  it('reports the time to live of the lease if a removal failed, and only then', () => {
    const event = { type: 'lease-unreachable', error: AWAY, retryInMs: 100 };
    const removal = { ...event, removalTtlMs: TTL_MS };
    expect(Driver.registered().due().failed().emitted).toEqual([event]);
    expect(Driver.registered().unwant('api/a').failed().emitted).toEqual([removal]);
    expect(Driver.registered().due().unwant('api/a').failed().emitted).toEqual([removal]);
  });

  it('retries soon if the first attempt after a long outage fails', () => {
    const driver = Driver.registered().due();
    driver.random = () => 1;
    for (let attempt = 0; attempt < 20; attempt++) driver.failed().due();
    driver.failed().feed({ type: 'registry-was-away' }).failed();
    expect(driver.delayMs).toBe(400);
    // The delay is as short if the outage ended during a request.
    for (let attempt = 0; attempt < 20; attempt++) driver.due().failed();
    driver.due().feed({ type: 'registry-was-away' }).failed();
    expect(driver.delayMs).toBe(400);
    expect(driver.emitted.filter(({ type }) => type === 'lease-unreachable')).toHaveLength(1);
  });

  it('retries a partly failed sync before the lease has to be renewed', () => {
    const driver = Driver.registered().due();
    driver.random = () => 1;
    for (let attempt = 0; attempt < 50; attempt++) {
      const renewedAt = driver.now;
      driver.feed({ type: 'failed', error: AWAY, renewedAt });
      expect(driver.delayMs).toBeLessThanOrEqual((TTL_MS / 3) * 1.1);
      driver.due();
    }
    expect(driver.emitted).toMatchObject([{ type: 'lease-unreachable' }]);
  });

  it('counts a record as held if the failed sync had written the record', () => {
    const driver = new Driver().want('api/a').want('api/b', '2').granted();
    const observations = new Map([['api/a', WRITTEN]]);
    driver.feed({ type: 'failed', error: AWAY, renewedAt: driver.now, observations });
    expect(driver.newEvents()).toEqual(['lease-granted', 'lease-unreachable', 'registered']);
    expect(driver.machine.records.get('api/a')?.standing.name).toBe('held');
    expect(driver.machine.records.get('api/b')?.standing.name).toBe('unwritten');
  });

  it('emits lease-recovered once, after a whole sync succeeded', () => {
    const driver = Driver.registered().due().failed().due().feed({ type: 'lease-gone' });
    driver.granted('M').failed().due();
    expect(driver.newEvents()).toEqual(['lease-unreachable', 'lease-lost', 'lease-granted']);
    driver.synced({ 'api/a': WRITTEN }).due().synced({ 'api/a': HELD });
    expect(driver.newEvents()).toEqual(['lease-recovered', 'registered']);
  });

  it('emits lease-unreachable for a failure after the pause for a lost lease', () => {
    const driver = new Driver().want('api/a').granted().feed({ type: 'lease-gone' });
    expect(driver.due().failed().newEvents()).toContain('lease-unreachable');
  });

  it('pauses before the next grant if a lease is lost right after its grant', () => {
    const driver = new Driver().want('api/a').granted();
    driver.feed({ type: 'lease-gone' });
    expect(driver.machine.phase.name).toBe('backing-off');
    expect(driver.delayMs).toBeGreaterThan(0);
    expect(driver.due().asked).toEqual(['grant']);
  });

  it('grants ever more rarely while each lease is lost before its first renewal', () => {
    const driver = Driver.registered();
    const startedAt = driver.now;
    for (let lease = 0; lease < 20; lease++) {
      driver.due().feed({ type: 'lease-gone' });
      if (driver.machine.phase.name === 'backing-off') driver.due();
      driver.granted().synced({ 'api/a': HELD });
    }
    expect(driver.now - startedAt).toBeGreaterThan(200_000);
    // A renewed lease shows that leases live: the machine replaces the next lost lease at once.
    driver.due().synced({ 'api/a': HELD });
    driver.due().feed({ type: 'lease-gone' });
    expect(driver.machine.phase.name).toBe('granting');
  });

  it('emits one event for the outage, one for the expired lease and one for the recovery', () => {
    const driver = Driver.registered().due();
    for (let attempt = 0; attempt < 100; attempt++) driver.failed().due();
    driver.synced({ 'api/a': HELD });
    expect(driver.emitted).toEqual([
      { type: 'lease-unreachable', error: AWAY, retryInMs: 100 },
      { type: 'lease-expired', leaseId: 'L' },
      { type: 'lease-recovered', leaseId: 'L' },
      { type: 'registered', key: 'api/a', leaseId: 'L' },
    ]);
    driver.newEvents();
    driver.due().synced({ 'api/a': HELD });
    expect(driver.newEvents()).toEqual([]);
  });

  it('emits lease-expired once more than the time to live has passed since the renewal', () => {
    const driver = Driver.registered();
    driver.now = TTL_MS;
    driver.feed({ type: 'timer' }).failed();
    expect(driver.newEvents()).toEqual(['lease-unreachable']);
    driver.now = TTL_MS + 1;
    driver.feed({ type: 'timer' }).failed();
    expect(driver.newEvents()).toEqual(['lease-expired']);
  });

  it('counts the lease as renewed if a request fails after it has renewed the lease', () => {
    const driver = Driver.registered();
    driver.now = TTL_MS;
    driver.feed({ type: 'timer' }).failed(TTL_MS);
    driver.now = 2 * TTL_MS;
    driver.feed({ type: 'timer' }).failed();
    expect(driver.newEvents()).toEqual(['lease-unreachable']);
  });

  it('renews the lease in time though every sync fails after the renewal', () => {
    const driver = Driver.registered().due();
    driver.random = () => 1;
    for (let attempt = 0; attempt < 50; attempt++) {
      driver.failed(driver.now);
      expect(driver.delayMs).toBeLessThanOrEqual(3_300);
      expect(driver.due().asked).toEqual(['sync! verify api/a=1']);
    }
    expect(driver.newEvents()).toEqual(['lease-unreachable']);
  });

  it('emits lease-expired again for a lease that expires again after a renewal', () => {
    const driver = Driver.registered();
    driver.now = TTL_MS + 1;
    driver.feed({ type: 'timer' }).failed();
    driver.feed({ type: 'timer' }).failed(driver.now);
    driver.now += TTL_MS + 1;
    driver.feed({ type: 'timer' }).failed();
    expect(driver.newEvents()).toEqual(['lease-unreachable', 'lease-expired', 'lease-expired']);
  });

  it('emits lease-expired for a new lease that expires before its first sync is answered', () => {
    const driver = Driver.registered();
    driver.now = TTL_MS + 1;
    driver.feed({ type: 'timer' }).failed();
    driver.due().feed({ type: 'lease-gone' }).granted('M').newEvents();
    driver.now += TTL_MS + 1;
    driver.failed();
    expect(driver.emitted).toEqual([{ type: 'lease-expired', leaseId: 'M' }]);
  });

  it('grants a new lease if the registry lost the old one during the outage', () => {
    const driver = Driver.registered().due().failed().due().feed({ type: 'lease-gone' });
    expect(driver.asked).toEqual(['grant']);
    driver.granted('M').synced({ 'api/a': WRITTEN });
    expect(driver.newEvents()).toEqual([
      'lease-unreachable',
      'lease-lost',
      'lease-granted',
      'lease-recovered',
      'registered',
    ]);
  });

  it('retries the request for a first lease without end, and emits lease-unreachable once', () => {
    const driver = new Driver().want('api/a');
    for (let attempt = 0; attempt < 100; attempt++) {
      driver.failed();
      expect(driver.delayMs).toBeLessThanOrEqual(30_000);
      expect(driver.due().asked).toEqual(['grant']);
    }
    expect(driver.granted().asked).toEqual(['sync claim api/a=1']);
    expect(driver.synced({ 'api/a': WRITTEN }).newEvents()).toEqual([
      'lease-unreachable',
      'lease-granted',
      'lease-recovered',
      'registered',
    ]);
  });

  it('draws its delays with full jitter', () => {
    const driver = Driver.registered().due();
    driver.random = () => 0;
    expect(driver.failed().delayMs).toBe(50);
    driver.random = () => 0.75;
    expect(driver.due().failed().delayMs).toBe(300);
  });

  it('starts the backoff anew after an answer', () => {
    const driver = Driver.registered().due();
    for (let attempt = 0; attempt < 5; attempt++) driver.failed().due();
    driver.synced({ 'api/a': HELD }).due();
    expect(driver.failed().delayMs).toBe(100);
  });

  it('sends with the next attempt what the caller asked for during the backoff', () => {
    const driver = Driver.registered().due().failed().want('api/b', '2').want('api/a', '3');
    expect(driver.asked).toEqual([]);
    expect(driver.due().asked).toEqual(['sync! verify api/a=3 claim api/b=2']);
  });

  it('sends a removal at once during the backoff, because the registry may answer again', () => {
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

  it('sends a removal at once if the caller asked for it during the failed attempt', () => {
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

  it('sends a new record only with the next attempt, even after a removal that did not wait', () => {
    const driver = two().due().unwant('api/a').failed().failed().want('api/c', '3');
    expect(driver.asked).toEqual([]);
    expect(driver.due().asked).toEqual(['sync! remove api/a=1 verify api/b=2 claim api/c=3']);
  });
});
