/**
 * Remembers decoded values: a full list, which mostly repeats known records, decodes only those that have
 * changed.
 */
import type { IgnoredRecord } from '../../core/records/ignored-records.js';
import type { EtcdEntry } from './prefix-replies.js';

/** A decoded value, or why the value is not used. */
export type DecodedEntry<Value> =
  { readonly ok: true; readonly value: Value } | ({ readonly ok: false } & IgnoredRecord);

interface KnownEntry<Value> {
  readonly lease: string;
  /** A copy: the value itself would keep the whole reply in memory. */
  readonly bytes: Buffer;
  readonly decoded: DecodedEntry<Value>;
}

/** The decoded records under one prefix. Changed in place; its only owner is the prefix's watch. */
export class DecodedRecords<Value> {
  private readonly known = new Map<string, KnownEntry<Value>>();

  constructor(private readonly decode: (entry: EtcdEntry) => DecodedEntry<Value>) {}

  /** How many keys are known. */
  get size(): number {
    return this.known.size;
  }

  /**
   * Decodes an entry. If the key's last entry had the same bytes and the same lease, returns the result of
   * that entry. Compares bytes and not revisions: an etcd that was wiped or restored from a backup gives the
   * same revisions to other values.
   */
  read(entry: EtcdEntry): DecodedEntry<Value> {
    const { key, value, lease } = entry;
    const before = this.known.get(key);
    if (before?.lease === lease && before.bytes.equals(value)) return before.decoded;
    const decoded = this.decodeAny(entry);
    this.known.set(key, { lease, bytes: Buffer.from(value), decoded });
    return decoded;
  }

  /** Forgets a deleted key. */
  delete(key: string): void {
    this.known.delete(key);
  }

  /** Forgets all keys that are not listed. O(n). */
  retain(isListed: (key: string) => boolean): void {
    for (const key of this.known.keys()) if (!isListed(key)) this.known.delete(key);
  }

  /**
   * Any program may have written the value: a malformed one must not fail the list that contains it, or the
   * process.
   */
  private decodeAny(entry: EtcdEntry): DecodedEntry<Value> {
    try {
      return this.decode(entry);
    } catch (error) {
      const reason = `it cannot be read (${error instanceof Error ? error.message : String(error)})`;
      return { ok: false, kind: 'no-record', reason };
    }
  }
}
