/** Splits the events of one delivery for a watcher that asked for fragments. */
import type { KeyValue, WatchEvent } from '../wire/wire-messages.js';

/** A delivery of more bytes is split: etcd's request limit with its 512 KiB for overhead. */
export const MAX_FRAGMENT_BYTES = 2 * 1024 * 1024;

/** What an event takes on the wire besides keys and values, in bytes, at most. */
const EVENT_OVERHEAD_BYTES = 64;

/** The events in parts below {@link MAX_FRAGMENT_BYTES}; an event is never split. */
export function splitEvents(events: readonly WatchEvent[]): WatchEvent[][] {
  const parts: WatchEvent[][] = [];
  let part: WatchEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = eventBytes(event);
    if (part.length > 0 && bytes + size >= MAX_FRAGMENT_BYTES) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(event);
    bytes += size;
  }
  return [...parts, part];
}

function eventBytes({ kv, prevKv }: WatchEvent): number {
  return keyValueBytes(kv) + (prevKv === undefined ? 0 : keyValueBytes(prevKv));
}

function keyValueBytes({ key, value }: KeyValue): number {
  return key.length + value.length + EVENT_OVERHEAD_BYTES;
}
