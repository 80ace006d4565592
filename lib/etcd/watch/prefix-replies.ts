/**
 * Reads and checks replies to lists and watches on a prefix: an entry outside the prefix would count as the
 * service's.
 */
import type { RegistryPosition } from '../../core/snapshot/watch-machine.js';
import {
  booleanField,
  bytesField,
  fieldOf,
  integerField,
  listField,
  malformed,
  positionOf,
  textField,
} from '../connection/reply-fields.js';

/** A key with its value and the lease it lives under (`'0'`: none). */
export interface EtcdEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly lease: string;
}

/** One change of a key; `entry` is `undefined` for a deletion. */
export interface EtcdChange {
  readonly key: string;
  readonly entry: EtcdEntry | undefined;
}

/** The keys from `start` on and before `end`; an `end` of `\0` means no upper bound. */
export interface KeyRange {
  readonly start: Buffer;
  readonly end: Buffer;
}

/** One page of a list. */
interface ListPage {
  readonly position: RegistryPosition;
  readonly entries: readonly EtcdEntry[];
  /** The last key of the page if more pages follow. */
  readonly last: Buffer | undefined;
}

/** The content of one reply of a watch stream. */
export type WatchNews =
  | { readonly type: 'cancelled'; readonly reason: string }
  | {
      readonly type: 'going-on';
      /** Set if the reply confirms the watch. */
      readonly created: RegistryPosition | undefined;
      readonly changes: readonly EtcdChange[];
      /** The revision of the last change; `undefined` if there is none. */
      readonly revision: bigint | undefined;
    };

/** @throws MalformedReplyError */
export function readPage(reply: unknown, range: KeyRange): ListPage {
  const position = positionOf(reply);
  const found = listField(reply, 'kvs');
  const entries = found.map((entry) => readEntry(entry, range));
  if (!booleanField(reply, 'more')) return { position, entries, last: undefined };
  // A page without keys, although more keys follow, would end the list too early, or never.
  if (found.length === 0) malformed('more keys follow, and it has none');
  return { position, entries, last: keyOf(found.at(-1), range) };
}

function readEntry(found: unknown, range: KeyRange): EtcdEntry {
  const key = keyOf(found, range).toString();
  return { key, value: bytesField(found, 'value'), lease: textField(found, 'lease') };
}

/** @throws MalformedReplyError */
export function readNews(reply: unknown, range: KeyRange): WatchNews {
  if (booleanField(reply, 'canceled')) return { type: 'cancelled', reason: reasonOf(reply) };
  const created = booleanField(reply, 'created') ? positionOf(reply) : undefined;
  const events = listField(reply, 'events');
  const changes = events.map((event): EtcdChange => {
    const type = fieldOf(event, 'type');
    const found = fieldOf(event, 'kv');
    if (type === 'Delete') return { key: keyOf(found, range).toString(), entry: undefined };
    if (type !== 'Put') malformed('an event is neither a put nor a deletion');
    const entry = readEntry(found, range);
    return { key: entry.key, entry };
  });
  // The revision in the header may be newer: etcd sends the past in several replies to a watch that fell
  // behind.
  const last = events.at(-1);
  const revision =
    last === undefined ? undefined : integerField(fieldOf(last, 'kv'), 'mod_revision');
  return { type: 'going-on', created, changes, revision };
}

function reasonOf(reply: unknown): string {
  const revision = fieldOf(reply, 'compact_revision');
  const compacted =
    revision === '0' || typeof revision !== 'string' ? '' : `compacted at ${revision}`;
  const reason = fieldOf(reply, 'cancel_reason');
  const texts = [typeof reason === 'string' ? reason : '', compacted];
  return texts.filter((text) => text !== '').join(', ') || 'no reason given';
}

function keyOf(found: unknown, { start, end }: KeyRange): Buffer {
  const key = bytesField(found, 'key');
  const isBefore = Buffer.compare(key, start) < 0;
  const isBehind = !(end.length === 1 && end[0] === 0) && Buffer.compare(key, end) >= 0;
  return isBefore || isBehind ? malformed('a key is not among those asked for') : key;
}
