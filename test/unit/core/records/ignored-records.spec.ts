import { describe, expect, it } from 'vitest';
import {
  countIgnored,
  describeIgnored,
  type IgnoredRecord,
  IgnoredRecords,
} from '../../../../lib/core/records/ignored-records.js';

const BAD: IgnoredRecord = { kind: 'no-dialable-address', reason: 'Addr is missing or empty' };
const FOREIGN: IgnoredRecord = { kind: 'kratos', reason: 'its endpoints is []' };
const HOUR = 3_600_000;

/** The counts of the groups to report. */
const counts = (records: IgnoredRecords, now = 0): number[] =>
  records.takeReports(now).map(({ count }) => count);

describe('the groups of ignored records', () => {
  it('have a count, and their oldest record as an example', () => {
    const records = new IgnoredRecords();
    expect(records.summary).toEqual([]);
    records.set('a', BAD);
    records.set('b', FOREIGN);
    records.set('c', BAD);
    expect(records.summary).toEqual([
      { ...BAD, count: 2, key: 'a' },
      { ...FOREIGN, count: 1, key: 'b' },
    ]);
    expect(countIgnored(records.summary)).toBe(3);
    records.delete('a');
    records.delete('b');
    records.delete('never there');
    expect(records.summary).toEqual([{ ...BAD, count: 1, key: 'c' }]);
    expect([records.get('a'), records.get('c')]).toEqual([undefined, BAD]);
  });

  it('are the same array until a record changes', () => {
    const records = new IgnoredRecords();
    records.set('a', BAD);
    const { summary } = records;
    records.set('a', { ...BAD });
    records.delete('b');
    expect(records.summary).toBe(summary);
    records.set('a', { ...BAD, reason: 'another one' });
    expect(records.summary).toEqual([{ ...BAD, reason: 'another one', count: 1, key: 'a' }]);
  });

  it('change when a record changes its kind', () => {
    const records = new IgnoredRecords();
    records.set('a', BAD);
    records.set('a', FOREIGN);
    expect(records.summary).toEqual([{ ...FOREIGN, count: 1, key: 'a' }]);
  });

  it('contain only the records of the last complete list', () => {
    const records = new IgnoredRecords();
    records.set('gone', BAD);
    records.set('kept', BAD);
    records.replace(
      new Map([
        ['kept', BAD],
        ['new', FOREIGN],
      ]),
    );
    expect(records.summary.map(({ key, count }) => [key, count])).toEqual([
      ['kept', 1],
      ['new', 1],
    ]);
  });
});

describe('IgnoredRecords.takeReports', () => {
  it('reports a complete list once, with its count', () => {
    const records = new IgnoredRecords();
    const list = new Map(Array.from({ length: 10_000 }, (_, index) => [`${index}`, BAD]));
    records.replace(list);
    expect(counts(records)).toEqual([10_000]);
    records.replace(list);
    expect(counts(records)).toEqual([]);
  });

  it('reports five times while 10,000 records arrive one by one', () => {
    const records = new IgnoredRecords();
    const reported: number[] = [];
    for (let index = 0; index < 10_000; index++) {
      records.set(`${index}`, { ...BAD, reason: `reason ${index}` });
      reported.push(...counts(records));
    }
    expect(reported).toEqual([1, 10, 100, 1_000, 10_000]);
  });

  it('reports one record once, although it is rewritten, repaired and replaced by another kind', () => {
    const records = new IgnoredRecords();
    const reported: string[] = [];
    const report = () => reported.push(...records.takeReports(0).map(({ kind }) => kind));
    for (let index = 0; index < 300; index++) {
      records.set('a', { ...BAD, reason: `reason ${index}` });
      report();
      records.set('a', FOREIGN);
      report();
      records.delete('a');
      report();
    }
    expect(reported).toEqual(['no-dialable-address', 'kratos']);
  });

  it('reports a group that has values again after it was empty, once an hour at most', () => {
    const records = new IgnoredRecords();
    records.set('a', BAD);
    expect(counts(records, 0)).toEqual([1]);
    expect(counts(records, 2 * HOUR)).toEqual([]);
    records.delete('a');
    records.set('a', BAD);
    expect(counts(records, HOUR - 1)).toEqual([]);
    expect(counts(records, HOUR)).toEqual([1]);
    expect(counts(records, 3 * HOUR)).toEqual([]);
  });
});

it('describeIgnored returns one short line for any value', () => {
  const group = { ...BAD, count: 3, key: 'api/x\n' };
  expect(describeIgnored(group)).toBe(
    String.raw`have no dialable address, e.g. api/x\n: Addr is missing or empty`,
  );
  expect(describeIgnored({ ...FOREIGN, count: 1, key: 'api/x' })).toBe(
    'is in the format of kratos (api/x: its endpoints is [])',
  );
  const long = 'x'.repeat(1_000_000);
  expect(describeIgnored({ ...group, key: long, reason: long }).length).toBeLessThan(500);
});

it('the cost of a change does not depend on the number of ignored records', () => {
  const records = new IgnoredRecords();
  for (let index = 0; index < 100_000; index++) records.set(`${index}`, BAD);
  // If each change read or copied all records, that would be 10^10 steps: many times the time limit of a
  // test.
  for (let index = 0; index < 100_000; index++) {
    const key = `flapping ${index % 1_000}`;
    records.set(key, FOREIGN);
    void records.summary;
    records.takeReports(index);
    records.delete(key);
  }
  expect(records.summary).toMatchObject([{ count: 100_000 }]);
});
