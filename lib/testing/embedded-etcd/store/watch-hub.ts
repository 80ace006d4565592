/**
 * Delivers every revision to the watchers of its keys: at once to those that are ready, from the history to
 * those that fell behind.
 */
import { type ByteKey, type ByteRange, contains } from './byte-range.js';
import type { KeyChange, KeyVersion, KvStore } from './kv-store.js';
import type { WatchEvent } from '../wire/wire-messages.js';

/** The most revisions of one delivery from the history, as in etcd. */
const MAX_REVISIONS_PER_DELIVERY = 1000;

/** What a watcher asks for. */
export interface WatchOptions {
  readonly range: ByteRange;
  /** The first revision wanted; 0 is the next one. */
  readonly startRevision: number;
  readonly withoutPuts: boolean;
  readonly withoutDeletions: boolean;
  /** Whether events contain the previous version of the key. */
  readonly previous: boolean;
}

/** Where a watcher's events go. */
export interface WatchSink {
  /** Whether it takes events now. If not, {@link WatchHub.catchUp} delivers them later. */
  ready(): boolean;
  /** Takes the events of whole revisions, in order; `revision` is the store's at this time. */
  deliver(events: readonly WatchEvent[], revision: number): void;
  /** Called when the watcher needs compacted revisions; the watcher is removed. */
  compacted(compactRevision: number): void;
}

/** Remembers what one watcher asked for, and which revision it has to receive next. */
export class Watcher {
  /** The first revision that the watcher has not received yet. */
  nextRevision: number;
  /** Whether the watcher lacks revisions that the store has. */
  behind: boolean;

  constructor(
    readonly options: WatchOptions,
    readonly sink: WatchSink,
    storeRevision: number,
  ) {
    const { startRevision } = options;
    this.nextRevision = startRevision === 0 ? storeRevision + 1 : startRevision;
    this.behind = this.nextRevision <= storeRevision;
  }
}

/** Watchers of the same range, tested once for all. */
interface RangeGroup {
  readonly range: ByteRange;
  readonly watchers: Set<Watcher>;
}

/**
 * All watchers of one store. A put costs one look-up for all watchers of single keys, and one test for each
 * distinct range.
 */
export class WatchHub {
  private readonly singles = new Map<ByteKey, Set<Watcher>>();
  private readonly ranges = new Map<string, RangeGroup>();

  constructor(private readonly store: KvStore) {
    store.subscribe((revision, changes) => this.publish(revision, changes));
  }

  /** Adds a watcher; call {@link catchUp} once its client knows of it. */
  add(options: WatchOptions, sink: WatchSink): Watcher {
    const watcher = new Watcher(options, sink, this.store.revision);
    const { range } = options;
    if (range.single) {
      const watchers = this.singles.get(range.start) ?? new Set();
      this.singles.set(range.start, watchers.add(watcher));
    } else {
      const group = this.ranges.get(rangeId(range)) ?? { range, watchers: new Set() };
      group.watchers.add(watcher);
      this.ranges.set(rangeId(range), group);
    }
    return watcher;
  }

  /** Removes a watcher, if it is still there. */
  remove(watcher: Watcher): void {
    const { range } = watcher.options;
    const watchers = range.single
      ? this.singles.get(range.start)
      : this.ranges.get(rangeId(range))?.watchers;
    watchers?.delete(watcher);
    if (watchers?.size !== 0) return;
    if (range.single) this.singles.delete(range.start);
    else this.ranges.delete(rangeId(range));
  }

  /** Delivers from the history what a watcher misses, as long as its sink takes it. */
  catchUp(watcher: Watcher): void {
    const { store } = this;
    while (watcher.behind && watcher.sink.ready()) {
      if (watcher.nextRevision < store.compactRevision) {
        this.remove(watcher);
        watcher.behind = false;
        watcher.sink.compacted(store.compactRevision);
        return;
      }
      const events = this.collect(watcher);
      watcher.behind = watcher.nextRevision <= store.revision;
      if (events.length > 0) watcher.sink.deliver(events, store.revision);
    }
  }

  /** The next events from the history, of a bounded number of revisions. */
  private collect(watcher: Watcher): WatchEvent[] {
    const events: WatchEvent[] = [];
    let revisions = 0;
    let last = 0;
    let next = this.store.revision + 1;
    this.store.visitChanges(watcher.nextRevision, (version) => {
      if (!contains(watcher.options.range, version.byteKey) || isFiltered(watcher, version)) {
        return true;
      }
      if (version.modRevision !== last) {
        if (revisions === MAX_REVISIONS_PER_DELIVERY) {
          next = version.modRevision;
          return false;
        }
        revisions += 1;
        last = version.modRevision;
      }
      events.push(this.event(watcher, version));
      return true;
    });
    watcher.nextRevision = next;
    return events;
  }

  private publish(revision: number, changes: readonly KeyChange[]): void {
    if (this.singles.size === 0 && this.ranges.size === 0) return;
    const affected = new Map<Watcher, WatchEvent[]>();
    for (const { now } of changes) {
      for (const watcher of this.singles.get(now.byteKey) ?? [])
        this.gather(affected, watcher, now);
      for (const { range, watchers } of this.ranges.values()) {
        if (!contains(range, now.byteKey)) continue;
        for (const watcher of watchers) this.gather(affected, watcher, now);
      }
    }
    for (const [watcher, events] of affected) {
      if (watcher.sink.ready()) {
        watcher.nextRevision = revision + 1;
        watcher.sink.deliver(events, revision);
      } else {
        watcher.nextRevision = Math.max(watcher.nextRevision, revision);
        watcher.behind = true;
      }
    }
  }

  private gather(
    affected: Map<Watcher, WatchEvent[]>,
    watcher: Watcher,
    version: KeyVersion,
  ): void {
    if (watcher.behind || watcher.nextRevision > version.modRevision) return;
    if (isFiltered(watcher, version)) return;
    const events = affected.get(watcher);
    if (events === undefined) affected.set(watcher, [this.event(watcher, version)]);
    else events.push(this.event(watcher, version));
  }

  private event(watcher: Watcher, kv: KeyVersion): WatchEvent {
    const type = kv.deleted ? 1 : 0;
    const isCreation = !kv.deleted && kv.createRevision === kv.modRevision;
    if (!watcher.options.previous || isCreation) return { type, kv };
    return { type, kv, prevKv: this.store.before(kv.byteKey, kv.modRevision) };
  }
}

function isFiltered({ options }: Watcher, version: KeyVersion): boolean {
  return version.deleted ? options.withoutDeletions : options.withoutPuts;
}

function rangeId({ start, end }: ByteRange): string {
  // The length of `start` and the zero bytes separate the parts, so that two different ranges never have the
  // same id.
  return `${start.length}\0${start}\0${end === undefined ? '' : `=${end}`}`;
}
