import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../../lib/testing/fake-clock.js';
import type { KeyVersion } from '../../../../../lib/testing/embedded-etcd/store/kv-store.js';
import { LeaseBook } from '../../../../../lib/testing/embedded-etcd/store/lease-book.js';

/** The change that a put under a lease makes. */
function version(byteKey: string, lease: string, deleted = false): KeyVersion {
  const key = Buffer.from(byteKey);
  const counts = { createRevision: 1, modRevision: 1, version: 1 };
  return { byteKey, key, value: key, lease, deleted, ...counts };
}

describe('LeaseBook', () => {
  let clock: FakeClock;
  let book: LeaseBook;
  let deleted: string[];
  let nextId: number;

  beforeEach(() => {
    clock = new FakeClock();
    deleted = [];
    nextId = 100;
    book = new LeaseBook(
      clock,
      (keys) => deleted.push(`${clock.now()}: ${keys.join()}`),
      () => String(nextId++),
    );
  });

  it('grants the requested id or one of its own, and at least 2 seconds', () => {
    expect(book.grant(10, '7')).toMatchObject({ id: '7', ttlSeconds: 10 });
    expect(book.grant(1, '0')).toMatchObject({ id: '100', ttlSeconds: 2 });
    expect(() => book.grant(10, '7')).toThrow('lease already exists');
    expect(() => book.grant(9_000_000_001, '0')).toThrow('too large lease TTL');
  });

  it('ends each lease at its time and deletes its keys in order', () => {
    book.grant(5, '1');
    book.grant(3, '2');
    book.follow([
      { now: version('b', '1'), before: undefined },
      { now: version('a', '1'), before: undefined },
      { now: version('c', '2'), before: undefined },
    ]);
    clock.advance(2_999);
    expect(deleted).toEqual([]);
    clock.advance(1);
    expect(deleted).toEqual(['3000: c']);
    clock.advance(10_000);
    expect(deleted).toEqual(['3000: c', '5000: a,b']);
    expect(clock.pendingTimers).toBe(0);
    expect(book.has('1')).toBe(false);
  });

  it('restarts the time to live at a keepalive, and returns 0 for a lease that is gone', () => {
    book.grant(5, '1');
    clock.advance(4_000);
    expect(book.keepAlive('1')).toBe(5);
    clock.advance(4_000);
    expect(book.has('1')).toBe(true);
    const lease = book.find('1');
    expect(lease === undefined ? -1 : book.remainingSeconds(lease)).toBe(1);
    clock.advance(1_000);
    expect(book.keepAlive('1')).toBe(0);
  });

  it('has one timer, however many leases there are', () => {
    for (let id = 1; id <= 50; id++) book.grant(2 + (id % 7), String(id));
    expect(clock.pendingTimers).toBe(1);
    clock.advance(2_000);
    expect(clock.pendingTimers).toBe(1);
    expect(book.all()).toHaveLength(43);
  });

  it('moves a key from lease to lease, and forgets a deleted one', () => {
    book.grant(60, '1');
    book.grant(60, '2');
    const first = version('a', '1');
    const second = version('a', '2');
    book.follow([{ now: first, before: undefined }]);
    book.follow([{ now: second, before: first }]);
    expect([...(book.find('1')?.keys ?? [])]).toEqual([]);
    expect([...(book.find('2')?.keys ?? [])]).toEqual(['a']);
    book.follow([{ now: version('a', '0', true), before: second }]);
    book.revoke('2');
    expect(deleted).toEqual(['0: ']);
    expect(() => book.revoke('2')).toThrow('requested lease not found');
  });

  it('expires no lease while suspended, and the leases that are due on resume', () => {
    book.grant(2, '1');
    book.grant(10, '2');
    book.suspend();
    clock.advance(5_000);
    expect(book.has('1')).toBe(true);
    book.grant(2, '3');
    expect(clock.pendingTimers).toBe(0);
    book.resume();
    expect(book.all().map(({ id }) => id)).toEqual(['3', '2']);
    clock.advance(2_000);
    expect(book.all().map(({ id }) => id)).toEqual(['2']);
  });

  it('can renew, expire or remove all leases', () => {
    book.grant(2, '1');
    book.grant(3, '2');
    clock.advance(1_500);
    book.renewAll();
    clock.advance(1_500);
    expect(book.all()).toHaveLength(2);
    book.expireAll();
    expect([book.all().length, deleted.length]).toEqual([0, 2]);
    book.grant(2, '3');
    book.clear();
    expect([book.all().length, clock.pendingTimers]).toEqual([0, 0]);
    expect(deleted).toHaveLength(2);
  });

  it('waits for a lease of 9,000,000,000 seconds without a timer that overflows', () => {
    book.grant(9_000_000_000, '1');
    expect(clock.nextTimerMs).toBe(2 ** 31 - 1);
    clock.advance(2 ** 31);
    expect(book.has('1')).toBe(true);
    expect(clock.pendingTimers).toBe(1);
  });
});
