/** Values of etcd as they were decoded last: a whole list, which as a rule says what is known already, decodes only what has changed. */
import type { IgnoredRecord } from '../core/ignored-records.js';
import type { EtcdEntry } from './prefix-replies.js';

/** A value of etcd in the form that is wanted, or why it is none. */
export type DecodedEntry<Value> =
  { readonly ok: true; readonly value: Value } | ({ readonly ok: false } & IgnoredRecord);

interface KnownEntry<Value> {
  readonly revision: string;
  readonly lease: string;
  readonly size: number;
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

  /** Decodes an entry; where it is the one of that key which was decoded last, gives what that gave. */
  read(entry: EtcdEntry): DecodedEntry<Value> {
    const { key, value, lease, revision } = entry;
    const before = this.known.get(key);
    // Lease and size beside it: a cluster that was restored from a backup counts its revisions anew.
    if (
      before?.revision === revision &&
      before.lease === lease &&
      before.size === value.byteLength
    ) {
      return before.decoded;
    }
    const decoded = this.decode(entry);
    this.known.set(key, { revision, lease, size: value.byteLength, decoded });
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

  /** Another history: its revisions say nothing about what is known. */
  clear(): void {
    this.known.clear();
  }
}
