/** Values of etcd as they were decoded last: a whole list, which as a rule says what is known already, decodes only what has changed. */
import type { IgnoredRecord } from '../../core/records/ignored-records.js';
import type { EtcdEntry } from './prefix-replies.js';

/** A value of etcd in the form that is wanted, or why it is none. */
export type DecodedEntry<Value> =
  { readonly ok: true; readonly value: Value } | ({ readonly ok: false } & IgnoredRecord);

interface KnownEntry<Value> {
  readonly lease: string;
  /** A copy: the value itself is part of a whole reply. */
  readonly bytes: Buffer;
  readonly decoded: DecodedEntry<Value>;
}

/** What is known under one prefix. Changed in place; its one owner is the prefix's watch. */
export class DecodedRecords<Value> {
  private readonly known = new Map<string, KnownEntry<Value>>();

  constructor(private readonly decode: (entry: EtcdEntry) => DecodedEntry<Value>) {}

  /** How many keys are known. */
  get size(): number {
    return this.known.size;
  }

  /**
   * Decodes an entry; where it says what the entry of that key said which was decoded last, gives what that gave. Bytes are compared and
   * no revisions: an etcd that was wiped or restored from a backup gives the same revisions to other values.
   */
  read(entry: EtcdEntry): DecodedEntry<Value> {
    const { key, value, lease } = entry;
    const before = this.known.get(key);
    if (before?.lease === lease && before.bytes.equals(value)) return before.decoded;
    const decoded = this.decodeAny(entry);
    this.known.set(key, { lease, bytes: Buffer.from(value), decoded });
    return decoded;
  }

  /** A key is gone. */
  delete(key: string): void {
    this.known.delete(key);
  }

  /** Leaves those of which this is true. O(n). */
  retain(isListed: (key: string) => boolean): void {
    for (const key of this.known.keys()) if (!isListed(key)) this.known.delete(key);
  }

  /** Any program may have written the value: whatever is wrong with it must not end the list that it stands in, or the process. */
  private decodeAny(entry: EtcdEntry): DecodedEntry<Value> {
    try {
      return this.decode(entry);
    } catch (error) {
      const reason = `it cannot be read (${error instanceof Error ? error.message : String(error)})`;
      return { ok: false, kind: 'no-record', reason };
    }
  }
}
