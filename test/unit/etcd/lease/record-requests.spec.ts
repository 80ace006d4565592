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

/** The first write reaches etcd and is then repeated, like a retry on another member. */
function repeatWrite(value = 'new'): void {
  let writes = 0;
  etcd.before = (what) => {
    if (what === 'record write' && ++writes === 1) etcd.put(KEY, value, ours);
  };
}

describe('syncRecord', () => {
  it.each(['verify', 'claim'] as const)(
    '%s leaves our record with our value as it is',
    async (mode) => {
      etcd.put(KEY, 'new', ours);
      const before = etcd.records.get(KEY);
      expect(await sync(mode)).toEqual({ name: 'held' });
      expect(etcd.records.get(KEY)).toBe(before);
      expect(etcd.log).toEqual(['record check']);
    },
  );

  it.each(['verify', 'claim'] as const)('%s writes a missing record', async (mode) => {
    expect(await sync(mode)).toEqual({ name: 'written', displaced: undefined, updated: false });
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'new', lease: ours });
  });

  it.each(['verify', 'claim'] as const)(
    '%s updates our record with an older value',
    async (mode) => {
      etcd.put(KEY, 'old', ours);
      expect(await sync(mode)).toEqual({ name: 'written', displaced: undefined, updated: true });
      expect(etcd.records.get(KEY)).toMatchObject({ value: 'new', lease: ours });
    },
  );

  it.each(['old', 'new'])(
    'verify reports a record with the %s value under another lease, and leaves it',
    async (value) => {
      const theirs = etcd.grant();
      etcd.put(KEY, value, theirs);
      const found = { name: 'foreign', value, leaseId: theirs, contested: false };
      expect(await sync('verify')).toEqual(found);
      expect(etcd.records.get(KEY)).toMatchObject({ value, lease: theirs });
    },
  );

  it.each(['old', 'new'])(
    'claim replaces a record with the %s value under another lease',
    async (value) => {
      const displaced = { value, leaseId: etcd.grant() };
      etcd.put(KEY, value, displaced.leaseId);
      expect(await sync('claim')).toEqual({ name: 'written', displaced, updated: false });
      expect(etcd.records.get(KEY)).toMatchObject({ value: 'new', lease: ours });
    },
  );

  it('a record without a lease counts as foreign', async () => {
    etcd.put(KEY, 'new');
    const found = { name: 'foreign', value: 'new', leaseId: '0', contested: false };
    expect(await sync('verify')).toEqual(found);
  });
});

describe('syncRecord, when another process writes between our read and our write', () => {
  it.each(['verify', 'claim'] as const)(
    '%s leaves their record, and reports it as contested',
    async (mode) => {
      const theirs = etcd.grant();
      etcd.before = (what) => {
        if (what === 'record write') etcd.put(KEY, 'theirs', theirs);
      };
      const found = { name: 'foreign', value: 'theirs', leaseId: theirs, contested: true };
      expect(await sync(mode)).toEqual(found);
      expect(etcd.records.get(KEY)).toMatchObject({ value: 'theirs', lease: theirs });
    },
  );

  it('a removal in between is reported as contested, too', async () => {
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

describe('a write that is repeated because its answer was lost', () => {
  it.each(['verify', 'claim'] as const)('does not conflict with itself: %s', async (mode) => {
    repeatWrite();
    expect(await sync(mode)).toEqual({ name: 'written', displaced: undefined, updated: false });
  });

  it('still reports the record that it replaced', async () => {
    const displaced = { value: 'theirs', leaseId: etcd.grant() };
    etcd.put(KEY, 'theirs', displaced.leaseId);
    repeatWrite();
    expect(await sync('claim')).toEqual({ name: 'written', displaced, updated: false });
  });

  it('is corrected if it carries an earlier value and arrives late', async () => {
    repeatWrite('older');
    expect(await sync('claim')).toMatchObject({ name: 'written', updated: true });
    expect(etcd.records.get(KEY)).toMatchObject({ value: 'new', lease: ours });
  });
});

it('a write under a lost lease throws LeaseGoneError', async () => {
  etcd.drop(ours);
  await expect(sync('claim')).rejects.toBeInstanceOf(LeaseGoneError);
});

it('the writes of a record end if etcd refuses it without a reason', async () => {
  etcd.before = (what) => {
    // Each time, the record changes between the read and the write.
    if (what === 'record write') etcd.put(KEY, 'old', ours);
  };
  await expect(sync('claim')).rejects.toMatchObject({ code: 'REGISTRY_REJECTED' });
  expect(etcd.log.filter((what) => what === 'record write')).toHaveLength(2);
});
