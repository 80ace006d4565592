import { beforeEach, describe, expect, it } from 'vitest';
import { DecodedRecords } from '../../../lib/etcd/decoded-records.js';

let decoded: string[];
let records: DecodedRecords<string>;

beforeEach(() => {
  decoded = [];
  records = new DecodedRecords(({ key, value }) => {
    decoded.push(key);
    const text = Buffer.from(value).toString();
    return text === 'bad'
      ? { ok: false, kind: 'no-record', reason: 'it is bad' }
      : { ok: true, value: text };
  });
});

const entry = (key: string, value = 'one', revision = '7', lease = '1') => ({
  key,
  value: Buffer.from(value),
  revision,
  lease,
});

describe('the records of a prefix', () => {
  it('decode an entry of a revision that is known once, and give the same value', () => {
    const first = records.read(entry('a'));
    expect(records.read(entry('a'))).toBe(first);
    expect(records.read(entry('b', 'bad'))).toBe(records.read(entry('b', 'bad')));
    expect(decoded).toEqual(['a', 'b']);
  });

  it.each([
    ['another revision', entry('a', 'one', '8')],
    ['another lease', entry('a', 'one', '7', '2')],
    ['another length', entry('a', 'three')],
  ])('decode an entry of %s anew', (_, next) => {
    records.read(entry('a'));
    records.read(next);
    expect(decoded).toEqual(['a', 'a']);
  });

  it('decode a key anew once it was gone, not listed, or of another history', () => {
    for (const forget of [
      () => records.delete('a'),
      () => records.retain((key) => key === 'b'),
      () => records.clear(),
    ]) {
      records.read(entry('a'));
      records.read(entry('b'));
      forget();
      expect(records.size).toBeLessThan(2);
      decoded = [];
      records.read(entry('a'));
      expect(decoded).toEqual(['a']);
    }
  });

  it('decode nothing of a list of 10,000 that changed nothing', () => {
    const list = Array.from({ length: 10_000 }, (_, place) => entry(`api/${place}`));
    for (const one of list) records.read(one);
    decoded = [];
    for (const one of list) records.read({ ...one });
    expect(decoded).toEqual([]);
  });
});
