/** The multi-version store: every key with its history, counted in revisions as etcd counts them. */
import { type ByteKey, type ByteRange, fromByteKey } from './byte-range.js';
import { refusal } from '../wire/etcd-error.js';
import { SortedKeys, lowerBound } from './sorted-keys.js';
import type { KeyValue } from '../wire/wire-messages.js';

/** A key after one revision; it can be sent as a {@link KeyValue}. */
export interface KeyVersion extends KeyValue {
  readonly byteKey: ByteKey;
  /** Whether this revision deleted the key. */
  readonly deleted: boolean;
}

/** What one revision did to one key. */
export interface KeyChange {
  readonly now: KeyVersion;
  /** The live version that the revision replaced. */
  readonly before: KeyVersion | undefined;
}

/** Called after every committed revision, with its changes in order. */
type ChangeListener = (revision: number, changes: readonly KeyChange[]) => void;

/** The writes that belong to one revision. */
export interface StoreWriter {
  /** Puts a key under a lease (`'0'` for none). */
  put(byteKey: ByteKey, value: Uint8Array, lease: string): void;
  /** Deletes the live keys of a range; returns what they were, in order. */
  delete(range: ByteRange): KeyVersion[];
}

/** Everything the store keeps, for a file. */
export interface StoreContent {
  readonly revision: number;
  readonly compactRevision: number;
  /** By revision, in order. */
  readonly versions: readonly KeyVersion[];
}

const noBytes = new Uint8Array(0);

/** A store with revision 1 and no key, as an empty etcd has it. */
export class KvStore {
  private committed = 1;
  private compacted = -1;
  private changes: KeyChange[] | undefined;
  private readonly keys = new SortedKeys();
  private readonly histories = new Map<ByteKey, KeyVersion[]>();
  /** Every change from the compaction revision on, in order. */
  private log: KeyVersion[] = [];
  private readonly listeners: ChangeListener[] = [];

  /** The revision that a read sees: within a write that has changed something, the new one. */
  get revision(): number {
    return this.committed + ((this.changes?.length ?? 0) > 0 ? 1 : 0);
  }

  /** The oldest revision that can still be read and watched from; −1 while nothing was compacted. */
  get compactRevision(): number {
    return this.compacted;
  }

  /** Calls `listener` after every revision, in the order of subscription. */
  subscribe(listener: ChangeListener): void {
    this.listeners.push(listener);
  }

  /**
   * The live keys of a range, in byte order.
   *
   * @param revision the revision to read at; 0 or less is the current one
   * @throws EtcdError for a compacted or future revision
   */
  read(range: ByteRange, revision = 0): KeyVersion[] {
    if (revision > this.revision) throw refusal('futureRevision');
    if (revision > 0 && revision < this.compacted) throw refusal('compacted');
    const at = revision <= 0 ? this.revision : revision;
    const keys = range.single ? [range.start] : this.keys.slice(range);
    const found: KeyVersion[] = [];
    for (const key of keys) {
      const version = this.find(key, at);
      if (version !== undefined) found.push(version);
    }
    return found;
  }

  /**
   * The version of a key just before a revision; `undefined` if there was none, or the revision is compacted.
   */
  before(byteKey: ByteKey, revision: number): KeyVersion | undefined {
    return revision - 1 < this.compacted ? undefined : this.find(byteKey, revision - 1);
  }

  /** Visits the changes from a revision on, in order, until `visit` returns false. */
  visitChanges(from: number, visit: (version: KeyVersion) => boolean): void {
    const { log } = this;
    const start = lowerBound(log.length, (i) => (log[i] as KeyVersion).modRevision < from);
    for (let i = start; i < log.length; i++) if (!visit(log[i] as KeyVersion)) return;
  }

  /** Runs the writes of one revision. The revision rises by one if they change anything. */
  write<T>(body: (writer: StoreWriter) => T): T {
    const changes: KeyChange[] = [];
    this.changes = changes;
    const revision = this.committed + 1;
    try {
      return body({
        put: (byteKey, value, lease) => {
          const before = this.find(byteKey, revision);
          const now: KeyVersion = {
            byteKey,
            deleted: false,
            key: fromByteKey(byteKey),
            createRevision: before?.createRevision ?? revision,
            modRevision: revision,
            version: (before?.version ?? 0) + 1,
            value,
            lease,
          };
          this.append(now);
          changes.push({ now, before });
        },
        delete: (range) => {
          const found = this.read(range);
          for (const before of found) {
            const now = tombstone(before, revision);
            this.append(now);
            changes.push({ now, before });
          }
          return found;
        },
      });
    } finally {
      this.changes = undefined;
      if (changes.length > 0) {
        this.committed = revision;
        for (const listener of this.listeners) listener(revision, changes);
      }
    }
  }

  /**
   * Removes the history before a revision; keys that were live at it stay readable.
   *
   * @throws EtcdError for a revision that is compacted already or in the future
   */
  compact(revision: number): void {
    if (revision <= this.compacted) throw refusal('compacted');
    if (revision > this.committed) throw refusal('futureRevision');
    this.compacted = revision;
    this.log = this.log.filter((version) => version.modRevision >= revision);
    for (const [key, history] of this.histories) {
      const newer = lowerBound(
        history.length,
        (i) => (history[i] as KeyVersion).modRevision <= revision,
      );
      const last = history[newer - 1];
      if (last === undefined) continue;
      history.splice(0, last.deleted && last.modRevision < revision ? newer : newer - 1);
      if (history.length === 0) this.histories.delete(key);
    }
    this.keys.filter((key) => this.histories.has(key));
  }

  /** The whole content of the store. */
  content(): StoreContent {
    const older = [...this.histories.values()].flatMap((history) =>
      history.filter((version) => version.modRevision < this.compacted),
    );
    older.sort((a, b) => a.modRevision - b.modRevision);
    return {
      revision: this.committed,
      compactRevision: this.compacted,
      versions: [...older, ...this.log],
    };
  }

  /** Fills an empty store. Listeners are not called. */
  restore(content: StoreContent): void {
    this.committed = content.revision;
    this.compacted = content.compactRevision;
    for (const version of content.versions) this.append(version);
    this.log = this.log.filter((version) => version.modRevision >= this.compacted);
  }

  private append(version: KeyVersion): void {
    const history = this.histories.get(version.byteKey);
    if (history === undefined) {
      this.histories.set(version.byteKey, [version]);
      this.keys.add(version.byteKey);
    } else {
      history.push(version);
    }
    this.log.push(version);
  }

  /** The live version of a key as of a revision. */
  private find(byteKey: ByteKey, revision: number): KeyVersion | undefined {
    const history = this.histories.get(byteKey);
    if (history === undefined) return undefined;
    let last = history.at(-1);
    if (last !== undefined && last.modRevision > revision) {
      const after = lowerBound(
        history.length,
        (i) => (history[i] as KeyVersion).modRevision <= revision,
      );
      last = history[after - 1];
    }
    return last === undefined || last.deleted ? undefined : last;
  }
}

function tombstone(before: KeyVersion, revision: number): KeyVersion {
  const { byteKey, key } = before;
  return {
    byteKey,
    deleted: true,
    key,
    createRevision: 0,
    modRevision: revision,
    version: 0,
    value: noBytes,
    lease: '0',
  };
}
