import { beforeEach, describe, expect, it } from 'vitest';
import type { HoldRequest } from '../../../../lib/core/lease/lease-record.js';
import type { RecordObservation } from '../../../../lib/core/lease/record-observation.js';
import { LeaseGoneError } from '../../../../lib/etcd/connection/etcd-error.js';
import { syncRecord } from '../../../../lib/etcd/lease/record-requests.js';
import { FakeEtcd } from '../fake-etcd.js';

const KEY = 'api/h:1';
let etcd: FakeEtcd;
let ours: string;

beforeEach(() => {
  etcd = new FakeEtcd();
  ours = etcd.grant();
});

function sync(mode: HoldRequest['mode'], value = 'new'): Promise<RecordObservation> {
  return syncRecord(etcd.connection, ours, { key: KEY, value, mode });
}

/** The first write reaches etcd, and is repeated, as on another member. */
function repeatWrite(value = 'new'): void {
  let writes = 0;
  etcd.before = (what) => {
    if (what === 'record write' && ++writes === 1) etcd.put(KEY, value, ours);
  };
}

describe('what is under the key, and what each request makes of it', () => {
  it.each(['verify', 'claim'] as const)('ours with our value: %s leaves it', async (mode) => {
    etcd.put(KEY, 'new', ours);
    const before = etcd.records.get(KEY);
    expect(await sync(mode)).toEqual({ name: 'held' });
    expect(etcd.records.get(KEY)).toBe(before);
    expect(etcd.log).toEqual(['record check']);
  });

  it.each(['verify', 'claim'] as const)('nothing: %s writes it', async (mode) => {
    expect(await sync(mode)).toEqual({ name: 'written', displaced: undefined, updated: false });
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'new', lease: ours });
  });

  it.each(['verify', 'claim'] as const)('ours with an older value: %s updates it', async (mode) => {
    etcd.put(KEY, 'old', ours);
    expect(await sync(mode)).toEqual({ name: 'written', displaced: undefined, updated: true });
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'new', lease: ours });
  });

  it.each(['old', 'new'])('%s of another lease: verify reports it and leaves it', async (value) => {
    const theirs = etcd.grant();
    etcd.put(KEY, value, theirs);
    const found = { name: 'foreign', value, leaseId: theirs, contested: false };
    expect(await sync('verify')).toEqual(found);
    expect(etcd.records.get(KEY)).toMatchObject({ value, lease: theirs });
  });

  it.each(['old', 'new'])('%s of another lease: claim replaces it', async (value) => {
    const displaced = { value, leaseId: etcd.grant() };
    etcd.put(KEY, value, displaced.leaseId);
    expect(await sync('claim')).toEqual({ name: 'written', displaced, updated: false });
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'new', lease: ours });
  });

  it('a record without a lease is not ours either', async () => {
    etcd.put(KEY, 'new');
    const found = { name: 'foreign', value: 'new', leaseId: '0', contested: false };
    expect(await sync('verify')).toEqual(found);
  });
});

describe('when somebody writes between our look and our write', () => {
  it.each(['verify', 'claim'] as const)('%s leaves theirs, and says it was lost', async (mode) => {
    const theirs = etcd.grant();
    etcd.before = (what) => {
      if (what === 'record write') etcd.put(KEY, 'theirs', theirs);
    };
    const found = { name: 'foreign', value: 'theirs', leaseId: theirs, contested: true };
    expect(await sync(mode)).toEqual(found);
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'theirs', lease: theirs });
  });

  it('a removal in between is not overwritten unseen either', async () => {
    const theirs = etcd.grant();
    etcd.put(KEY, 'theirs', theirs);
    etcd.before = (what) => {
      if (what === 'record write') etcd.records.delete(KEY);
    };
    const found = { name: 'foreign', value: 'theirs', leaseId: theirs, contested: true };
    expect(await sync('claim')).toEqual(found);
    expect(etcd.records.has(KEY)).toBe(false);
  });
});

describe('a write whose answer is lost, and that is sent again', () => {
  it.each(['verify', 'claim'] as const)('is no conflict with itself: %s', async (mode) => {
    repeatWrite();
    expect(await sync(mode)).toEqual({ name: 'written', displaced: undefined, updated: false });
  });

  it('still says what it replaced', async () => {
    const displaced = { value: 'theirs', leaseId: etcd.grant() };
    etcd.put(KEY, 'theirs', displaced.leaseId);
    repeatWrite();
    expect(await sync('claim')).toEqual({ name: 'written', displaced, updated: false });
  });

  it('of an earlier value, that comes late, is followed by the right one', async () => {
    repeatWrite('older');
    expect(await sync('claim')).toMatchObject({ name: 'written', updated: true });
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'new', lease: ours });
  });
});

it('a write under a lease that is gone says so', async () => {
  etcd.drop(ours);
  await expect(sync('claim')).rejects.toBeInstanceOf(LeaseGoneError);
});

it('a record that etcd neither takes nor gives a reason for is not written for ever', async () => {
  etcd.before = (what) => {
    // What is found is gone by the time of the write, each time.
    if (what === 'record write') etcd.put(KEY, 'old', ours);
  };
  await expect(sync('claim')).rejects.toMatchObject({ code: 'REGISTRY_REJECTED' });
  expect(etcd.log.filter((what) => what === 'record write')).toHaveLength(2);
});
