import { beforeEach, describe, expect, it } from 'vitest';
import {
  singleKey,
  toByteRange,
} from '../../../../../lib/testing/embedded-etcd/store/byte-range.js';
import { KvStore } from '../../../../../lib/testing/embedded-etcd/store/kv-store.js';
import {
  WatchHub,
  type WatchOptions,
  type WatchSink,
} from '../../../../../lib/testing/embedded-etcd/store/watch-hub.js';
import type { WatchEvent } from '../../../../../lib/testing/embedded-etcd/wire/wire-messages.js';

/** Takes deliveries while it is open. */
class TestSink implements WatchSink {
  isReady = true;
  /** How many deliveries it takes before it is full. */
  room = Number.POSITIVE_INFINITY;
  readonly deliveries: string[][] = [];
  compactedAt: number | undefined;

  ready(): boolean {
    return this.isReady && this.room > 0;
  }

  deliver(events: readonly WatchEvent[], revision: number): void {
    this.room -= 1;
    this.deliveries.push([`@${revision}`, ...events.map(text)]);
  }

  compacted(compactRevision: number): void {
    this.compactedAt = compactRevision;
  }
}

function text({ type, kv, prevKv }: WatchEvent): string {
  const what = type === 1 ? 'delete' : 'put';
  const was = prevKv === undefined ? '' : ` was ${prevKv.modRevision}`;
  return `${kv.modRevision} ${what} ${Buffer.from(kv.key).toString()}${was}`;
}

const prefix = (start: string, end: string) => toByteRange(Buffer.from(start), Buffer.from(end));

const options = (more: Partial<WatchOptions>): WatchOptions => ({
  range: prefix('a', 'z'),
  startRevision: 0,
  withoutPuts: false,
  withoutDeletions: false,
  previous: false,
  ...more,
});

describe('WatchHub', () => {
  let store: KvStore;
  let hub: WatchHub;
  let sink: TestSink;

  const put = (key: string): void =>
    store.write((writer) => writer.put(key, new Uint8Array(0), '0'));
  const remove = (key: string): void => {
    store.write((writer) => writer.delete(singleKey(key)));
  };

  beforeEach(() => {
    store = new KvStore();
    hub = new WatchHub(store);
    sink = new TestSink();
  });

  it('delivers each revision at once to the watchers of its keys', () => {
    const single = new TestSink();
    const other = new TestSink();
    hub.add(options({}), sink);
    hub.add(options({ range: singleKey('b') }), single);
    hub.add(options({ range: prefix('x', 'y') }), other);
    put('a');
    put('b');
    remove('b');
    expect(sink.deliveries).toEqual([
      ['@2', '2 put a'],
      ['@3', '3 put b'],
      ['@4', '4 delete b'],
    ]);
    expect(single.deliveries).toEqual([
      ['@3', '3 put b'],
      ['@4', '4 delete b'],
    ]);
    expect(other.deliveries).toEqual([]);
  });

  it('delivers the changes of one revision together and in order', () => {
    hub.add(options({}), sink);
    put('c');
    store.write((writer) => {
      writer.put('b', new Uint8Array(0), '0');
      writer.put('a', new Uint8Array(0), '0');
      writer.delete(singleKey('c'));
    });
    expect(sink.deliveries.at(-1)).toEqual(['@3', '3 put b', '3 put a', '3 delete c']);
  });

  it('delivers the history to a late watcher first, and each event once', () => {
    put('a');
    put('b');
    put('c');
    const watcher = hub.add(options({ startRevision: 3 }), sink);
    put('d');
    expect(sink.deliveries).toEqual([]);
    hub.catchUp(watcher);
    put('e');
    hub.catchUp(watcher);
    expect(sink.deliveries).toEqual([
      ['@5', '3 put b', '4 put c', '5 put d'],
      ['@6', '6 put e'],
    ]);
  });

  it('delivers nothing to a watcher before its start revision', () => {
    hub.add(options({ startRevision: 4 }), sink);
    for (const key of ['a', 'b', 'c', 'd']) put(key);
    expect(sink.deliveries.flat()).toEqual(['@4', '4 put c', '@5', '5 put d']);
  });

  it('queues nothing for a full sink, and delivers the missed events together', () => {
    const watcher = hub.add(options({}), sink);
    put('a');
    sink.isReady = false;
    for (const key of ['b', 'c', 'd']) put(key);
    expect(watcher.behind).toBe(true);
    hub.catchUp(watcher);
    expect(sink.deliveries).toHaveLength(1);
    sink.isReady = true;
    hub.catchUp(watcher);
    put('e');
    expect(sink.deliveries).toEqual([
      ['@2', '2 put a'],
      ['@5', '3 put b', '4 put c', '5 put d'],
      ['@6', '6 put e'],
    ]);
    expect(watcher.behind).toBe(false);
  });

  it('delivers a long history in parts of at most 1,000 revisions, while the sink is ready', () => {
    for (let i = 0; i < 2_500; i++) put('k');
    const watcher = hub.add(options({ startRevision: 2 }), sink);
    sink.room = 2;
    hub.catchUp(watcher);
    expect(sink.deliveries.map(({ length }) => length - 1)).toEqual([1_000, 1_000]);
    expect(watcher.behind).toBe(true);
    sink.room = 1;
    hub.catchUp(watcher);
    expect(sink.deliveries.map(({ length }) => length - 1)).toEqual([1_000, 1_000, 500]);
    expect(watcher.behind).toBe(false);
    const revisions = sink.deliveries.flatMap((events) => events.slice(1)).map(Number.parseFloat);
    expect(revisions).toEqual(Array.from({ length: 2_500 }, (_, index) => index + 2));
  });

  it('reports the compaction to a watcher whose start revision was compacted, and removes the watcher', () => {
    for (const key of ['a', 'b', 'c', 'd']) put(key);
    store.compact(4);
    const watcher = hub.add(options({ startRevision: 3 }), sink);
    hub.catchUp(watcher);
    put('e');
    expect([sink.compactedAt, sink.deliveries]).toEqual([4, []]);
  });

  it('reports the compaction to a watcher that fell behind it', () => {
    const watcher = hub.add(options({}), sink);
    sink.isReady = false;
    for (const key of ['a', 'b', 'c']) put(key);
    store.compact(4);
    sink.isReady = true;
    hub.catchUp(watcher);
    expect([sink.compactedAt, sink.deliveries]).toEqual([4, []]);
  });

  it('leaves out filtered events, and adds the previous versions', () => {
    const deletions = new TestSink();
    const puts = new TestSink();
    hub.add(options({ withoutPuts: true, previous: true }), deletions);
    hub.add(options({ withoutDeletions: true, previous: true }), puts);
    put('a');
    put('a');
    remove('a');
    put('a');
    expect(deletions.deliveries).toEqual([['@4', '4 delete a was 3']]);
    expect(puts.deliveries.map((delivery) => delivery[1])).toEqual([
      '2 put a',
      '3 put a was 2',
      '5 put a',
    ]);
    const late = new TestSink();
    hub.catchUp(hub.add(options({ withoutPuts: true, startRevision: 2 }), late));
    expect(late.deliveries).toEqual([['@5', '4 delete a']]);
  });

  it('delivers nothing to a removed watcher, and everything to the other watchers of the range', () => {
    const sibling = new TestSink();
    const range = singleKey('a');
    const watcher = hub.add(options({ range }), sink);
    hub.add(options({ range }), sibling);
    hub.remove(watcher);
    hub.remove(watcher);
    put('a');
    expect([sink.deliveries.length, sibling.deliveries.length]).toEqual([0, 1]);
  });
});
