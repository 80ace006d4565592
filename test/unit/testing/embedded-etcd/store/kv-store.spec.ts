import { describe, expect, it } from 'vitest';
import {
  singleKey,
  toByteRange,
} from '../../../../../lib/testing/embedded-etcd/store/byte-range.js';
import {
  type KeyChange,
  KvStore,
} from '../../../../../lib/testing/embedded-etcd/store/kv-store.js';
import { seededRandom } from '../../../../support/seeded-random.js';

const value = (text: string): Buffer => Buffer.from(text);
const everything = toByteRange(Buffer.from([0]), Buffer.from([0]));

function put(store: KvStore, key: string, text = '', lease = '0'): void {
  store.write((writer) => writer.put(key, value(text), lease));
}

function remove(store: KvStore, key: string): void {
  store.write((writer) => writer.delete(singleKey(key)));
}

/** Live keys and values, `key=value`. */
function shown(store: KvStore, revision = 0): string[] {
  const found = store.read(everything, revision);
  return found.map((version) => `${version.byteKey}=${Buffer.from(version.value).toString()}`);
}

describe('KvStore', () => {
  it('begins at revision 1 and raises it by one for each write that changes something', () => {
    const store = new KvStore();
    expect(store.revision).toBe(1);
    put(store, 'a');
    expect(store.revision).toBe(2);
    remove(store, 'nothing');
    store.write(() => undefined);
    expect(store.revision).toBe(2);
    remove(store, 'a');
    expect(store.revision).toBe(3);
  });

  it('counts versions and remembers the revision that made a key, until it is deleted', () => {
    const store = new KvStore();
    put(store, 'a', '1');
    put(store, 'a', '2');
    expect(store.read(singleKey('a'))[0]).toMatchObject({
      createRevision: 2,
      modRevision: 3,
      version: 2,
    });
    remove(store, 'a');
    put(store, 'a', '3');
    expect(store.read(singleKey('a'))[0]).toMatchObject({
      createRevision: 5,
      modRevision: 5,
      version: 1,
    });
  });

  it('shows the writes of one revision to each other, and to readers only after the commit', () => {
    const store = new KvStore();
    const revisions: number[] = [];
    store.subscribe((revision) => revisions.push(revision));
    store.write((writer) => {
      expect(store.revision).toBe(1);
      writer.put('a', value('1'), '0');
      expect(store.revision).toBe(2);
      expect(shown(store)).toEqual(['a=1']);
      writer.put('b', value('1'), '0');
      writer.delete(singleKey('a'));
      expect(shown(store)).toEqual(['b=1']);
      expect(revisions).toEqual([]);
    });
    expect(revisions).toEqual([2]);
    expect(store.revision).toBe(2);
  });

  it('passes each change to its listeners in order, with the version before', () => {
    const store = new KvStore();
    const told: string[] = [];
    store.subscribe((revision, changes: readonly KeyChange[]) => {
      for (const { now, before } of changes) {
        const what = now.deleted ? 'delete' : 'put';
        told.push(`${revision} ${what} ${now.byteKey} before ${before?.modRevision ?? 'nothing'}`);
      }
    });
    put(store, 'b', '1', '7');
    put(store, 'a');
    store.write((writer) => writer.delete(everything));
    expect(told).toEqual([
      '2 put b before nothing',
      '3 put a before nothing',
      '4 delete a before 3',
      '4 delete b before 2',
    ]);
  });

  it('reads a past revision, and refuses a compacted or future one', () => {
    const store = new KvStore();
    put(store, 'a', '1');
    put(store, 'b', '1');
    put(store, 'a', '2');
    remove(store, 'b');
    expect([2, 3, 4, 5].map((revision) => shown(store, revision))).toEqual([
      ['a=1'],
      ['a=1', 'b=1'],
      ['a=2', 'b=1'],
      ['a=2'],
    ]);
    expect(() => shown(store, 6)).toThrow('mvcc: required revision is a future revision');
    store.compact(4);
    expect(shown(store, 4)).toEqual(['a=2', 'b=1']);
    expect(() => shown(store, 3)).toThrow('mvcc: required revision has been compacted');
    expect(() => store.compact(4)).toThrow('compacted');
    expect(() => store.compact(6)).toThrow('future');
  });

  it('keeps the changes from the compaction on, and forgets keys whose deletion is before it', () => {
    const store = new KvStore();
    put(store, 'gone');
    remove(store, 'gone');
    put(store, 'kept', '1');
    put(store, 'kept', '2');
    const changes = (from: number): number[] => {
      const seen: number[] = [];
      store.visitChanges(from, (version) => seen.push(version.modRevision) < 10);
      return seen;
    };
    expect(changes(0)).toEqual([2, 3, 4, 5]);
    expect(changes(4)).toEqual([4, 5]);
    store.compact(4);
    expect(changes(0)).toEqual([4, 5]);
    expect(store.content().versions.map(({ byteKey }) => byteKey)).toEqual(['kept', 'kept']);
    expect(store.before('kept', 5)?.modRevision).toBe(4);
    expect(store.before('kept', 4)).toBeUndefined();
  });

  it('can be restored from its content', () => {
    const store = new KvStore();
    put(store, 'a', '1');
    put(store, 'b', '1');
    put(store, 'a', '2');
    store.compact(3);
    remove(store, 'b');
    const copy = new KvStore();
    copy.restore(store.content());
    expect(copy.content()).toEqual(store.content());
    expect([shown(copy), shown(copy, 4), copy.revision]).toEqual([['a=2'], ['a=2', 'b=1'], 5]);
    put(copy, 'a', '3');
    expect(copy.read(singleKey('a'))[0]).toMatchObject({ version: 3, createRevision: 2 });
  });

  it('agrees with a list of snapshots over random writes and compactions', () => {
    const random = seededRandom(3);
    const pick = (count: number): number => Math.floor(random() * count);
    const store = new KvStore();
    /** The live keys by revision. */
    const snapshots: Map<string, string>[] = [new Map(), new Map()];
    for (let step = 0; step < 2_000; step++) {
      const live = new Map(snapshots[store.revision]);
      const before = store.revision;
      const key = `k${pick(30)}`;
      if (random() < 0.7) {
        put(store, key, String(step));
        live.set(key, String(step));
      } else if (random() < 0.9) {
        const end = `${key}~`;
        const range = toByteRange(Buffer.from(key), Buffer.from(end));
        store.write((writer) => writer.delete(range));
        for (const other of snapshots[before]?.keys() ?? []) {
          if (other >= key && other < end) live.delete(other);
        }
      } else if (store.revision > store.compactRevision + 20) {
        store.compact(store.revision - pick(20));
      }
      if (store.revision > before) snapshots.push(live);
      const oldest = Math.max(store.compactRevision, 1);
      const at = oldest + pick(store.revision - oldest + 1);
      const wanted = [...(snapshots[at] as Map<string, string>)].sort(([a], [b]) =>
        a < b ? -1 : 1,
      );
      expect(shown(store, at)).toEqual(wanted.map(([key, text]) => `${key}=${text}`));
    }
    expect(store.revision).toBeGreaterThan(1_000);
  });
});
