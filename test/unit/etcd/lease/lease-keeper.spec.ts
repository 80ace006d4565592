import { beforeEach, describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { RegistrationEvent } from '../../../../lib/core/discovery-event.js';
import { DEFAULT_TIMINGS } from '../../../../lib/etcd/etcd-timings.js';
import { LeaseKeeper } from '../../../../lib/etcd/lease/lease-keeper.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import { FakeEtcd, WITHDRAWAL_MS } from '../fake-etcd.js';

const KEY = 'api/h:1';
const AWAY = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
let etcd: FakeEtcd;
let clock: FakeClock;
let events: RegistrationEvent['type'][];
let keeper: LeaseKeeper;

/** Waits until every request that is not held is answered; the clock stands still. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

/** Makes requests of this name wait; the returned function makes the waiting ones fail. */
function hold(held: string): (error: Error) => void {
  const waiting: ((error: Error) => void)[] = [];
  etcd.before = async (what) => {
    if (what === held) await new Promise((_, reject) => waiting.push(reject));
  };
  return (error) => {
    for (const reject of waiting) reject(error);
  };
}

function freshKeeper(): LeaseKeeper {
  etcd.log.length = 0;
  return new LeaseKeeper({
    connection: etcd.connection,
    clock,
    random: () => 0.5,
    timings: DEFAULT_TIMINGS,
    ttlSeconds: 9,
    onEvent: (event) => events.push(event.type),
  });
}

beforeEach(async () => {
  etcd = new FakeEtcd();
  clock = new FakeClock();
  events = [];
  keeper = freshKeeper();
  keeper.want(KEY, 'v1');
  await settled();
});

describe('LeaseKeeper', () => {
  it('writes the record to etcd under a lease of its own', () => {
    expect(etcd.log).toEqual(['lease grant', 'record check', 'record write']);
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'v1', lease: 'lease-1' });
    expect(events).toEqual(['lease-granted', 'registered']);
    expect(keeper.holds(KEY)).toBe(true);
  });

  it('renews the lease and verifies the records together, every third of the time to live', async () => {
    etcd.log.length = 0;
    clock.advance(2_999);
    expect(etcd.log).toEqual([]);
    clock.advance(1);
    await settled();
    expect(etcd.log).toEqual(['lease keepalive', 'record check']);
  });

  it('writes a deleted record again', async () => {
    etcd.records.clear();
    clock.advance(3_000);
    await settled();
    expect(etcd.records.has(KEY)).toBe(true);
    expect(events.at(-1)).toBe('record-restored');
  });

  it('removes a removed record once more if its key comes back under the lease', async () => {
    keeper.want('admin/h:1', 'v1');
    await settled();
    etcd.put(KEY, 'theirs', etcd.grant());
    await keeper.unwant(KEY);
    expect(keeper.holds(KEY)).toBe(false);
    etcd.put(KEY, 'v1', 'lease-1');
    clock.advance(3_000);
    await settled();
    expect([...etcd.records.keys()]).toEqual(['admin/h:1']);
  });

  it('replaces a lost lease, and writes its records again', async () => {
    etcd.drop('lease-1');
    etcd.leases.add('another');
    clock.advance(3_000);
    await settled();
    expect(etcd.records.get(KEY)?.lease).not.toBe('lease-1');
    expect(events.slice(2)).toEqual(['lease-lost', 'lease-granted', 'registered']);
  });

  it('keeps the lease alive while etcd refuses a record', async () => {
    etcd.before = (what) => {
      if (what === 'record check') throw new DiscoveryError('REGISTRY_REJECTED', 'no permission');
    };
    for (const until = clock.now() + 600_000; clock.now() < until; await settled()) {
      clock.advance(clock.nextTimerMs ?? Infinity);
    }
    expect(events.slice(2)).toEqual(['record-refused']);
    expect(etcd.log.filter((what) => what === 'lease keepalive').length).toBeGreaterThan(180);
  });
});

describe('LeaseKeeper.unwant', () => {
  it('resolves when etcd has answered', async () => {
    keeper.want('api/h:2', 'v2');
    await settled();
    await keeper.unwant(KEY);
    expect([...etcd.records.keys()]).toEqual(['api/h:2']);
    await keeper.unwant('api/h:2');
    expect(etcd.records.size).toBe(0);
    expect(etcd.leases.size).toBe(0);
    expect(clock.pendingTimers).toBeLessThanOrEqual(1);
  });

  it('waits no longer than for the attempt in flight', async () => {
    const fail = hold('lease revoke');
    const out = keeper.unwant(KEY);
    await settled();
    fail(AWAY);
    await out;
    expect(etcd.records.has(KEY)).toBe(true);
    etcd.before = () => {};
    clock.advance(200);
    await settled();
    expect(etcd.records.has(KEY)).toBe(false);
  });

  it('resolves although etcd refuses another record again and again', async () => {
    etcd.before = (what) => {
      if (what === 'record write') throw new DiscoveryError('REGISTRY_REJECTED', 'no space');
    };
    keeper.want('api/h:2', 'v2');
    await settled();
    await Promise.all([keeper.unwant(KEY), keeper.unwant('api/h:2')]);
    expect(etcd.records.size).toBe(0);
    expect(etcd.leases.size).toBe(0);
  });

  it('resolves when the record is wanted again', async () => {
    const fail = hold('lease revoke');
    const out = keeper.unwant(KEY);
    keeper.want(KEY, 'v2');
    await out;
    await settled();
    etcd.before = () => {};
    fail(AWAY);
    await settled();
    clock.advance(200);
    await settled();
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'v2' });
    expect(events.at(-1)).toBe('registered');
  });

  it('does not wait for an etcd that leaves a request unanswered', async () => {
    hold('lease keepalive');
    clock.advance(3_000);
    await settled();
    let isOut = false;
    const out = keeper.unwant(KEY).then(() => {
      isOut = true;
    });
    await settled();
    clock.advance(WITHDRAWAL_MS - 1);
    await settled();
    expect([isOut, etcd.doubts]).toEqual([false, 0]);
    clock.advance(1);
    await out;
    expect(etcd.doubts).toBe(1);
  });

  it('resolves at once for a record that the keeper does not hold', async () => {
    await keeper.unwant('api/nobody');
    expect(etcd.records.has(KEY)).toBe(true);
  });
});

describe('LeaseKeeper.stop', () => {
  it('revokes the lease, stops the timer and leaves no record', async () => {
    await keeper.stop();
    expect(etcd.records.size).toBe(0);
    expect(etcd.leases.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    expect(events.at(-1)).toBe('deregistered');
  });

  it('waits for a write in flight, so that the keeper can announce the removal of that record', async () => {
    let answer: (() => void) | undefined;
    let beforeRevoke: string | undefined;
    etcd.before = (what) => {
      if (what === 'lease revoke') beforeRevoke = etcd.records.get('api/h:2')?.value;
      if (what !== 'record write') return undefined;
      return new Promise((resolve) => {
        answer = resolve;
      });
    };
    keeper.want('api/h:2', '{"Op":0,"Addr":"h:2","Metadata":null}');
    await settled();
    const done = keeper.stop();
    await settled();
    expect(etcd.log).not.toContain('lease revoke');
    answer?.();
    await done;
    expect(beforeRevoke).toContain('"draining":true');
    expect(events.filter((type) => type === 'deregistered')).toHaveLength(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it('goes on if a write gets no answer', async () => {
    hold('record write');
    keeper.want('api/h:2', 'v2');
    await settled();
    const done = keeper.stop();
    clock.advance(WITHDRAWAL_MS / 4);
    await done;
    expect(etcd.leases.size).toBe(0);
    expect(events.at(-1)).toBe('deregistered');
  });

  it('waits for the revocation even if an earlier request fails meanwhile', async () => {
    const failCheck = hold('record check');
    clock.advance(3_000);
    await settled();
    let stopped = false;
    let answerRevoke: (() => void) | undefined;
    etcd.before = (what) =>
      what === 'lease revoke'
        ? new Promise((resolve) => {
            answerRevoke = resolve;
          })
        : undefined;
    const done = keeper.stop().then(() => {
      stopped = true;
    });
    failCheck(AWAY);
    await settled();
    expect(stopped).toBe(false);
    answerRevoke?.();
    await done;
    expect(etcd.records.size).toBe(0);
  });

  it('ends in bounded time if etcd does not answer', async () => {
    etcd.before = () => {
      throw AWAY;
    };
    await keeper.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('revokes the lease even if the announcement gets no answer', async () => {
    etcd.before = (what) => {
      if (what === 'record removal') throw AWAY;
    };
    keeper.want('api/h:2', '{"Op":0,"Addr":"h:2","Metadata":null}');
    await settled();
    await keeper.stop();
    expect([...etcd.leases, ...etcd.records.keys()]).toEqual([]);
  });

  it('revokes a lease that etcd is about to grant', async () => {
    const fresh = freshKeeper();
    let answer: (() => void) | undefined;
    etcd.before = (what) => {
      if (what !== 'lease grant') return undefined;
      return new Promise((resolve) => {
        answer = resolve;
      });
    };
    fresh.want('api/h:2', 'v');
    const done = fresh.stop();
    await settled();
    answer?.();
    await done;
    expect([...etcd.leases]).toEqual(['lease-1']);
    expect(etcd.log).not.toContain('record write');
  });

  it('waits for a grant no longer than the removal of records may take', async () => {
    const fresh = freshKeeper();
    hold('lease grant');
    fresh.want('api/h:2', 'v');
    const done = fresh.stop();
    await settled();
    clock.advance(WITHDRAWAL_MS);
    await done;
    expect(etcd.log).not.toContain('lease revoke');
  });
});

describe('LeaseKeeper, with 500 records', () => {
  it('announces records that are removed one after the other in four transactions, and revokes the lease', async () => {
    const keys = Array.from({ length: 500 }, (_, index) => `s${index}/h:1`);
    for (const key of keys) keeper.want(key, '{"Op":0,"Addr":"h:1","Metadata":null}');
    await settled();
    expect(etcd.records.size).toBe(501);
    etcd.log.length = 0;
    await Promise.all([KEY, ...keys].map((key) => keeper.unwant(key)));
    expect(etcd.records.size).toBe(0);
    expect(etcd.log).toEqual([...Array<string>(4).fill('record removal'), 'lease revoke']);
    await keeper.stop();
    expect(etcd.log).toHaveLength(5);
  });
});
