import { beforeEach, describe, expect, it } from 'vitest';
import { DecodedRecords } from '../../../../lib/etcd/watch/decoded-records.js';

let decoded: string[];
let records: DecodedRecords<string>;

beforeEach(() => {
  decoded = [];
  records = new DecodedRecords(({ key, value }) => {
    decoded.push(key);
    const text = Buffer.from(value).toString();
    if (text === 'thrown') throw new RangeError('too deep');
    return text === 'bad'
      ? { ok: false, kind: 'no-record', reason: 'it is bad' }
      : { ok: true, value: text };
  });
});

const entry = (key: string, value = 'one', lease = '1') => ({
  key,
  value: Buffer.from(value),
  lease,
});

describe('DecodedRecords', () => {
  it('decode an unchanged entry once, and return the same value', () => {
    const first = records.read(entry('a'));
    expect(records.read(entry('a'))).toBe(first);
    expect(records.read(entry('b', 'bad'))).toBe(records.read(entry('b', 'bad')));
    expect(decoded).toEqual(['a', 'b']);
  });

  it.each([
    ['another lease', entry('a', 'one', '2')],
    ['another length', entry('a', 'three')],
    // What a wiped etcd may have at the same revision.
    ['another value of the same length', entry('a', 'two')],
  ])('decode an entry of %s anew', (_, next) => {
    records.read(entry('a'));
    records.read(next);
    expect(decoded).toEqual(['a', 'a']);
  });

  it('decode a key again after it was deleted or not listed', () => {
    for (const forget of [() => records.delete('a'), () => records.retain((key) => key === 'b')]) {
      records.read(entry('a'));
      records.read(entry('b'));
      forget();
      expect(records.size).toBeLessThan(2);
      decoded = [];
      records.read(entry('a'));
      expect(decoded).toEqual(['a']);
    }
  });

  it('ignore a value on which the decoder throws, and decode the next one', () => {
    expect(records.read(entry('a', 'thrown'))).toMatchObject({ ok: false, kind: 'no-record' });
    expect(records.read(entry('b'))).toEqual({ ok: true, value: 'one' });
  });

  it('decode nothing of a list of 10,000 entries without changes', () => {
    const list = Array.from({ length: 10_000 }, (_, place) => entry(`api/${place}`));
    for (const one of list) records.read(one);
    decoded = [];
    for (const one of list) records.read({ ...one });
    expect(decoded).toEqual([]);
  });
});
