/** Key ranges as etcd's requests state them, over keys held as one character per byte. */

/**
 * A key: one character (code 0–255) for each byte, so that `<` on two of them is etcd's byte order and a
 * `Map` can hold them.
 */
export type ByteKey = string;

/** The keys from `start` on, up to but without `end`; without an upper bound where `end` is `undefined`. */
export interface ByteRange {
  readonly start: ByteKey;
  readonly end: ByteKey | undefined;
  /** Whether the range can contain no key but `start`. */
  readonly single: boolean;
}

/** Turns bytes into a key, one character for each byte; {@link fromByteKey} turns it back. */
export function toByteKey(bytes: Uint8Array): ByteKey {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Turns a key back into its bytes. */
export function fromByteKey(key: ByteKey): Buffer {
  return Buffer.from(key, 'latin1');
}

/** A range of just one key. */
export function singleKey(key: ByteKey): ByteRange {
  return { start: key, end: `${key}\0`, single: true };
}

/** The range of a request: without `rangeEnd` the one key, with a zero byte every key from `key` on. */
export function toByteRange(key: Uint8Array, rangeEnd?: Uint8Array): ByteRange {
  const start = toByteKey(key);
  if (rangeEnd === undefined || rangeEnd.length === 0) return singleKey(start);
  const end = toByteKey(rangeEnd);
  return { start, end: end === '\0' ? undefined : end, single: false };
}

/** Whether `key` lies in `range`. */
export function contains(range: ByteRange, key: ByteKey): boolean {
  return key >= range.start && (range.end === undefined || key < range.end);
}
