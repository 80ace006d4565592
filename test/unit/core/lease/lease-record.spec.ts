import { describe, expect, it } from 'vitest';
import {
  isRecordDue,
  type LeaseRecord,
  recordRequests,
  recordsAfterLease,
  recordsPresumedGone,
  type RecordStanding,
  removalRequests,
  sparedRequests,
  unwantedRecords,
  wantedRecord,
} from '../../../../lib/core/lease/lease-record.js';
import { Driver, HELD, lose, REFUSED, REMOVED, TTL_MS, two, WRITTEN } from './lease-driver.js';

const NOW = 1_000;
const RIVAL = { leaseId: 'R', value: 'theirs' };
/** One standing of each kind, each with a rival except `unwritten`. */
const STANDINGS = {
  unwritten: { name: 'unwritten' },
  held: { name: 'held', contests: 2, since: 7, rival: RIVAL },
  missing: { name: 'missing', contests: 2, rival: RIVAL },
  'contested until now': { name: 'contested', contests: 2, contestAt: NOW, rival: RIVAL },
  'contested until later': { name: 'contested', contests: 2, contestAt: NOW + 1, rival: RIVAL },
} satisfies Record<string, RecordStanding>;
type Name = keyof typeof STANDINGS;

const recordOf = (name: Name, wanted = true): LeaseRecord => ({
  value: '1',
  wanted,
  standing: STANDINGS[name],
});
const one = (record: LeaseRecord): ReadonlyMap<string, LeaseRecord> => new Map([['a', record]]);

describe('a wanted record', () => {
  it.each<[Name, isDue: boolean, mode: 'claim' | 'verify', afterLease: Name]>([
    ['unwritten', true, 'claim', 'unwritten'],
    ['held', false, 'verify', 'missing'],
    ['missing', true, 'verify', 'missing'],
    ['contested until now', true, 'claim', 'contested until now'],
    ['contested until later', false, 'verify', 'contested until later'],
  ])(
    'with the standing %s: is due: %s; mode of the request: %s; standing after the end of the lease: %s',
    (name, isDue, mode, afterLease) => {
      const record = recordOf(name);
      expect(isRecordDue(record, NOW)).toBe(isDue);
      expect(recordRequests(one(record), NOW)).toEqual([{ key: 'a', value: '1', mode }]);
      const after = one({ ...record, standing: STANDINGS[afterLease] });
      expect(recordsAfterLease(one(record))).toEqual(after);
      expect(recordsPresumedGone(one(record))).toEqual(after);
    },
  );

  it('keeps its standing when its value changes', () => {
    for (const standing of Object.values(STANDINGS)) {
      const known = { value: '1', wanted: true, standing };
      expect(wantedRecord(known, '2')).toEqual({ value: '2', wanted: true, standing });
    }
    const { standing } = recordOf('unwritten');
    expect(wantedRecord(undefined, '2')).toEqual({ value: '2', wanted: true, standing });
  });
});

describe('a record that is to be removed', () => {
  it.each(Object.keys(STANDINGS) as Name[])(
    'needs a request, and is done at the end of the lease, if the standing of the record is %s',
    (name) => {
      const records = unwantedRecords(one(recordOf(name)), ['a', 'unknown']);
      expect(records).toEqual(one(recordOf(name, false)));
      expect(isRecordDue(recordOf(name, false), NOW)).toBe(true);
      const heir = name === 'unwritten' ? {} : { heir: RIVAL };
      const removal = { key: 'a', value: '1', mode: 'remove', ...heir };
      expect(recordRequests(records, NOW)).toEqual([removal]);
      expect(removalRequests(one(recordOf(name)))).toEqual([removal]);
      expect(recordsAfterLease(records)).toEqual(new Map());
    },
  );

  it('that was held counts as missing once the caller wants the record again', () => {
    const { standing } = wantedRecord(recordOf('held', false), '2');
    expect(standing).toEqual(STANDINGS.missing);
  });
});

describe('a spared record', () => {
  it('is removed in a sync, unless the caller wants a record under its key again', () => {
    const spared = new Map(['a', 'b'].map((key) => [key, { value: '9', until: NOW }]));
    const records = one(recordOf('held'));
    expect(sparedRequests(spared, records)).toEqual([{ key: 'b', value: '9', mode: 'remove' }]);
  });
});

describe('for a record that the registry refuses, the lease machine', () => {
  it('emits record-refused once and retries with backoff, while it renews the lease', () => {
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
    expect(driver.emitted).toEqual([
      { type: 'lease-granted', leaseId: 'L', ttlMs: TTL_MS },
      { type: 'registered', key: 'api/a', leaseId: 'L' },
      { type: 'record-refused', key: 'api/b', error: REFUSED, retryInMs: 200 },
    ]);
    driver.newEvents();
    driver.synced({ 'api/a': HELD, 'api/b': WRITTEN });
    expect(driver.emitted).toEqual([{ type: 'registered', key: 'api/b', leaseId: 'L' }]);
  });

  it('emits registered once the record has the new value, or the caller wants the old value again', () => {
    const changed = Driver.registered().want('api/a', '2').refused({}, 'api/a');
    changed.due().synced({ 'api/a': { name: 'written', displaced: undefined, updated: true } });
    expect(changed.newEvents()).toEqual(['record-refused', 'registered']);
    const back = Driver.registered().want('api/a', '2').refused({}, 'api/a').want('api/a', '1');
    expect(back.due().synced({ 'api/a': HELD }).newEvents()).toEqual([
      'record-refused',
      'registered',
    ]);
  });

  it('emits record-refused again for another value, and after an outage', () => {
    const driver = Driver.registered().want('api/a', '2').refused({}, 'api/a');
    driver.want('api/a', '3').due().refused({}, 'api/a');
    expect(driver.newEvents()).toEqual(['record-refused', 'record-refused']);
    driver.due().failed().due().refused({}, 'api/a');
    expect(driver.newEvents()).toEqual(['lease-unreachable', 'lease-recovered', 'record-refused']);
  });

  it('removes the record at once if the caller asked for the removal during the request', () => {
    const driver = two().want('api/a', '2').unwant('api/b').refused({ 'api/b': HELD }, 'api/a');
    expect(driver.asked).toEqual(['sync! verify api/a=2 remove api/b=2']);
    driver.refused({ 'api/b': REMOVED }, 'api/a');
    expect(driver.newEvents()).toEqual(['record-refused', 'deregistered']);
  });

  it('reports the time to live of the lease if a removal was refused', () => {
    const driver = two().unwant('api/b').refused({}, 'api/b');
    expect(driver.emitted.at(-1)).toMatchObject({ key: 'api/b', removalTtlMs: TTL_MS });
  });

  it('keeps a conflict about the record, and emits registered once the conflict is won', () => {
    const driver = lose(Driver.registered()).refused({}, 'api/a');
    expect(driver.machine.records.get('api/a')?.standing.name).toBe('contested');
    expect(driver.due().synced({ 'api/a': WRITTEN }).newEvents()).toEqual([
      'conflict',
      'record-refused',
      'registered',
    ]);
  });
});
