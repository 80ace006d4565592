import { beforeEach, describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import type { RecordRequest } from '../../../../lib/core/lease/lease-record.js';
import type { RecordObservation } from '../../../../lib/core/lease/record-observation.js';
import {
  announceRemovals,
  type RecordOutcome,
  removeRecords,
} from '../../../../lib/etcd/lease/record-removal.js';
import { FakeEtcd } from '../fake-etcd.js';

const AWAY = new DiscoveryError('REGISTRY_UNAVAILABLE', 'away');
const REFUSED = new DiscoveryError('REGISTRY_REJECTED', 'permission denied');
let etcd: FakeEtcd;
let ours: string;

beforeEach(() => {
  etcd = new FakeEtcd();
  ours = etcd.grant();
});

function record(index: number, metadata: string | null = null): RecordRequest {
  const key = `api/h:${index}`;
  const value = `{"Op":0,"Addr":"h:${index}","Metadata":${JSON.stringify(metadata)}}`;
  return { key, value, mode: 'remove' };
}

/** Records 1 to `count`, which are in etcd under our lease. */
function held(count: number): RecordRequest[] {
  const records = Array.from({ length: count }, (_, index) => record(index + 1));
  for (const { key, value } of records) etcd.put(key, value, ours);
  return records;
}

function found(outcomes: readonly RecordOutcome[]): Record<string, RecordObservation['name']> {
  return Object.fromEntries(
    outcomes.flatMap(({ result }) => {
      if (result.status === 'rejected') throw result.reason;
      return [...result.value].map(([key, { name }]) => [key, name]);
    }),
  );
}

function draining(): string[] {
  const said = [...etcd.records].filter(([, { value }]) => value.includes('"draining":true'));
  return said.map(([key]) => key);
}

describe('announceRemovals', () => {
  it('marks each of our records as leaving', async () => {
    const records = held(2);
    expect(found(await announceRemovals(etcd.connection, ours, records))).toEqual({
      'api/h:1': 'removed',
      'api/h:2': 'removed',
    });
    expect(draining()).toEqual(['api/h:1', 'api/h:2']);
  });

  it('leaves the record of another process as it is, and announces the rest', async () => {
    const records = held(4);
    const value = records[1]?.value ?? '';
    etcd.put('api/h:2', value, etcd.grant());
    etcd.records.delete('api/h:3');
    expect(found(await announceRemovals(etcd.connection, ours, records))).toEqual({
      'api/h:1': 'removed',
      'api/h:2': 'spared',
      'api/h:4': 'removed',
    });
    expect(draining()).toEqual(['api/h:1', 'api/h:4']);
    expect(etcd.records.get('api/h:2')?.value).toBe(value);
    expect(etcd.log).toHaveLength(2);
  });

  it('announces 500 records in four transactions of at most 128 operations', async () => {
    await announceRemovals(etcd.connection, ours, held(500));
    expect(etcd.log).toHaveLength(4);
    expect(draining()).toHaveLength(500);
    expect(etcd.largestTransaction).toBe(128);
  });

  it('never sends more in one transaction than etcd takes in one request', async () => {
    const large = 'x'.repeat(300 * 1024);
    const records = [1, 2, 3].map((index) => record(index, large));
    await announceRemovals(etcd.connection, ours, records);
    expect(etcd.log).toHaveLength(3);
  });

  it('announces each record alone if etcd refuses them together', async () => {
    const records = held(3);
    let requests = 0;
    etcd.before = () => {
      // All three records together, then each alone.
      if ([1, 3].includes(++requests)) throw REFUSED;
    };
    const outcomes = await announceRemovals(etcd.connection, ours, records);
    expect(outcomes.map(({ result }) => result.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(draining()).toEqual(['api/h:1', 'api/h:3']);
  });

  it('does not repeat the request record by record if etcd does not answer', async () => {
    etcd.before = () => {
      throw AWAY;
    };
    const [outcome] = await announceRemovals(etcd.connection, ours, held(3));
    expect(outcome?.records).toHaveLength(3);
    expect(etcd.log).toHaveLength(1);
  });
});

describe('a record that another process claims too', () => {
  const value = record(1).value.replace('null', '{"of":"theirs"}');

  it.each([
    ['announceRemovals', announceRemovals],
    ['removeRecords', removeRecords],
  ])('is handed over to that process, and is neither marked nor deleted: %s', async (_, run) => {
    const theirs = etcd.grant();
    const [first, ...others] = held(3) as [RecordRequest, ...RecordRequest[]];
    const records = [{ ...first, heir: { leaseId: theirs, value } }, ...others];
    expect(found(await run(etcd.connection, ours, records))).toEqual({
      'api/h:1': 'spared',
      'api/h:2': 'removed',
      'api/h:3': 'removed',
    });
    expect(etcd.records.get('api/h:1')).toMatchObject({ value, lease: theirs });
  });

  it('stays with that process if its record is there already', async () => {
    const theirs = etcd.grant();
    etcd.put('api/h:1', 'newer', theirs);
    const records = [{ ...record(1), heir: { leaseId: theirs, value } }];
    expect(found(await removeRecords(etcd.connection, ours, records))).toEqual({
      'api/h:1': 'spared',
    });
    expect(etcd.records.get('api/h:1')).toMatchObject({ value: 'newer', lease: theirs });
  });

  it('is deleted if the lease of that process is gone', async () => {
    const theirs = etcd.grant();
    etcd.drop(theirs);
    const [first] = held(1) as [RecordRequest];
    const records = [{ ...first, heir: { leaseId: theirs, value } }];
    expect(found(await removeRecords(etcd.connection, ours, records))).toEqual({
      'api/h:1': 'removed',
    });
    expect(etcd.records.size).toBe(0);
  });
});

describe('removeRecords', () => {
  it('deletes our records, whatever their values are', async () => {
    const records = held(2);
    etcd.put('api/h:1', 'old', ours);
    expect(found(await removeRecords(etcd.connection, ours, records))).toEqual({
      'api/h:1': 'removed',
      'api/h:2': 'removed',
    });
    expect(etcd.records.size).toBe(0);
    expect(etcd.log).toHaveLength(2);
  });

  it('leaves the record of another process, and reports it as spared', async () => {
    const records = held(2);
    etcd.put('api/h:1', records[0]?.value ?? '', etcd.grant());
    expect(found(await removeRecords(etcd.connection, ours, records))).toEqual({
      'api/h:1': 'spared',
      'api/h:2': 'removed',
    });
    expect([...etcd.records.keys()]).toEqual(['api/h:1']);
  });

  it('counts a missing record as removed', async () => {
    expect(found(await removeRecords(etcd.connection, ours, [record(1)]))).toEqual({
      'api/h:1': 'removed',
    });
  });

  it('deletes the record if etcd refuses to write the announcement', async () => {
    const records = held(1);
    let requests = 0;
    etcd.before = () => {
      if (++requests === 1) throw REFUSED;
    };
    expect(found(await removeRecords(etcd.connection, ours, records))).toEqual({
      'api/h:1': 'removed',
    });
    expect(etcd.records.size).toBe(0);
  });
});

it.each([
  ['{"a":{"b":[1]},"draining":false}', ''],
  ['"text"', ''],
  ['[1]', ''],
  ['null', ',"Discovery":{"weight":2,"version":"1","zone":"a","maxConnectionAgeMs":400}'],
])('the announcement of a removal does not change the metadata %s', async (metadata, discovery) => {
  const value = `{"Op":0,"Addr":"h:1","Metadata":${metadata}${discovery}}`;
  etcd.put('api/h:1', value, ours);
  await announceRemovals(etcd.connection, ours, [{ key: 'api/h:1', value, mode: 'remove' }]);
  const added = discovery === '' ? ',"Discovery":{' : `${discovery.slice(0, -1)},`;
  expect(etcd.records.get('api/h:1')?.value).toBe(
    `{"Op":0,"Addr":"h:1","Metadata":${metadata}${added}"draining":true}}`,
  );
});
