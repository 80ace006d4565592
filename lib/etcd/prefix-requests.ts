/** Listing and watching a prefix on etcd's raw API. */
import type { IKeyValue, IWatchResponse } from 'etcd3';
import type { DiscoveryError } from '../core/discovery-error.js';
import type { RegistryPosition } from '../core/watch-machine.js';
import { requireLeader } from './call-options.js';
import type { EtcdConnection } from './etcd-connection.js';
import { closeStream } from './close-stream.js';
import { toDiscoveryError } from './etcd-error.js';

/** A key with its value, and the lease it lives under (`'0'`: none). */
export interface EtcdEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly lease: string;
}

/** One change of a key; `entry` is `undefined` where it was deleted. */
export interface EtcdChange {
  readonly key: string;
  readonly entry: EtcdEntry | undefined;
}

/** A watch that is open or being opened. After either call no handler is called any more. */
export interface OpenWatch {
  close(): void;
  /** Closes it, and has whatever was connected to its member connect anew: it said nothing at all. */
  abandon(): void;
}

/** What a watch stream tells. After `onEnd` nothing more comes. */
export interface WatchHandlers {
  onCreated(position: RegistryPosition): void;
  onChanges(changes: readonly EtcdChange[]): void;
  onEnd(error: DiscoveryError): void;
}

/** How many keys one reply may hold: thousands at once would block the event loop, and raise the memory of the process for good. */
const PAGE_SIZE = 1_000;
/** The same for the first reply where somebody waits for it: soon there, and read in a few milliseconds. */
const FIRST_PAGE_SIZE = 256;

/** How a list is read. */
export interface ListOptions {
  /** Asked between pages: no more are read once nobody waits for them. */
  readonly isWanted?: () => boolean;
  /** Called once where more follows after the first page, which then is a short one. */
  readonly onFirstPage?: (() => void) | undefined;
}

/**
 * Reads every key under a prefix with its value, all as of one revision.
 *
 * @param onEntry called with one key after the other, as the pages come
 * @returns the position of the list in etcd's history
 */
export async function listPrefix(
  connection: EtcdConnection,
  prefix: string,
  onEntry: (entry: EtcdEntry) => void,
  { isWanted = () => true, onFirstPage }: ListOptions = {},
): Promise<RegistryPosition> {
  const range_end = rangeEnd(Buffer.from(prefix));
  const page = (key: Buffer, revision: string, limit = PAGE_SIZE) => {
    const range = { key, range_end, limit, revision };
    return connection.request('list', (member, options) => member.kv.range(range, options));
  };
  const firstSize = onFirstPage === undefined ? PAGE_SIZE : FIRST_PAGE_SIZE;
  const first = await page(Buffer.from(prefix), '0', firstSize);
  const { revision, cluster_id: clusterId } = first.header;
  for (let reply = first; ;) {
    const last = reply.more && isWanted() ? reply.kvs.at(-1) : undefined;
    // Asked for before the one at hand is read, and all at the revision of the first.
    const next = last && page(Buffer.concat([last.key, Buffer.of(0)]), revision);
    // If it fails before it is waited for, it still is.
    next?.catch(() => {});
    for (const found of reply.kvs) onEntry(toEntry(found));
    if (next === undefined) return { revision: BigInt(revision), clusterId };
    if (reply === first) onFirstPage?.();
    reply = await next;
  }
}

/**
 * Watches a prefix: one stream, one watch, on the raw client, because the package's own watcher loses events when it
 * resumes. A member without a leader ends the watch, as does everything else that is odd.
 */
export function watchPrefix(
  connection: EtcdConnection,
  prefix: string,
  fromRevision: bigint,
  handlers: WatchHandlers,
): OpenWatch {
  const member = connection.member();
  const key = Buffer.from(prefix);
  let over = false;
  let cancel: (() => void) | undefined;
  const end = (error: unknown): void => {
    if (over) return;
    over = true;
    cancel?.();
    connection.leave(member);
    handlers.onEnd(toDiscoveryError('watch', error));
  };
  member.watchClient
    .watch(requireLeader({}))
    .then((stream) => {
      cancel = () => closeStream(stream);
      // Stays on after the end: cancelling makes an error of its own, and one without a listener would be thrown.
      stream.on('error', end);
      stream.on('end', () => end(new Error('the watch stream ended')));
      if (over) {
        cancel();
        return;
      }
      stream.on('data', (reply) => {
        if (!over) onReply(reply, handlers, end);
      });
      const start_revision = fromRevision.toString();
      const range = { key, range_end: rangeEnd(key), start_revision, progress_notify: true };
      stream.write({ create_request: range });
    })
    .catch(end);
  const close = (): void => {
    over = true;
    cancel?.();
  };
  return {
    close,
    abandon: () => {
      close();
      connection.distrust(member);
    },
  };
}

function onReply(
  reply: IWatchResponse,
  handlers: WatchHandlers,
  end: (error: unknown) => void,
): void {
  if (reply.canceled) {
    const compacted =
      reply.compact_revision === '0' ? '' : `compacted at ${reply.compact_revision}`;
    const reason = [reply.cancel_reason, compacted].filter((text) => text !== '').join(', ');
    end(new Error(`etcd cancelled the watch (${reason || 'no reason given'})`));
    return;
  }
  if (reply.created) {
    const { revision, cluster_id: clusterId } = reply.header;
    handlers.onCreated({ revision: BigInt(revision), clusterId });
  }
  if (reply.events.length === 0) return;
  handlers.onChanges(
    reply.events.map(({ type, kv }) => ({
      key: kv.key.toString(),
      entry: type === 'Put' ? toEntry(kv) : undefined,
    })),
  );
}

function toEntry({ key, value, lease }: IKeyValue): EtcdEntry {
  return { key: key.toString(), value, lease };
}

/**
 * The first key after all keys that start with `prefix`: its last byte below 0xff raised by one. For an empty prefix
 * `\0`, which etcd reads as "to the end".
 */
function rangeEnd(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  for (let index = end.length - 1; index >= 0; index--) {
    const byte = end[index] ?? 0xff;
    if (byte === 0xff) continue;
    end[index] = byte + 1;
    return end.subarray(0, index + 1);
  }
  return Buffer.from([0]);
}
