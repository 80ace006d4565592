/** Listing and watching a prefix on etcd's raw API. */
import type { DiscoveryError } from '../../core/discovery-error.js';
import type { RegistryPosition } from '../../core/snapshot/watch-machine.js';
import { requireLeader } from '../connection/call-options.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { closeStream, ownErrors } from './close-stream.js';
import { isAnothersTurn, MalformedReplyError, toDiscoveryError } from '../connection/etcd-error.js';
import {
  type EtcdChange,
  type EtcdEntry,
  type KeyRange,
  readNews,
  readPage,
  type WatchNews,
} from './prefix-replies.js';

/** A watch that is open or being opened. After either call no handler is called any more. */
export interface OpenWatch {
  close(): void;
  /** Closes it, and has whatever was connected to its member connect anew: it said nothing at all. */
  abandon(): void;
}

/** What a watch stream tells. After `onEnd` nothing more comes. */
export interface WatchHandlers {
  onCreated(position: RegistryPosition): void;
  /** @param revision that of the last change */
  onChanges(changes: readonly EtcdChange[], revision: bigint): void;
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
 * @param onEntry called with one key after the other, as the pages come; the next one waits for the promise it may return
 * @returns the position of the list in etcd's history
 */
export async function listPrefix(
  connection: EtcdConnection,
  prefix: string,
  onEntry: (entry: EtcdEntry) => Promise<void> | undefined,
  { isWanted = () => true, onFirstPage }: ListOptions = {},
): Promise<RegistryPosition> {
  const end = rangeEnd(Buffer.from(prefix));
  const page = async (start: Buffer, revision: string, limit = PAGE_SIZE) => {
    const request = { key: start, range_end: end, limit, revision };
    return connection.request('list', async (member, options) =>
      readPage(await member.kv.range(request, options), { start, end }),
    );
  };
  const firstSize = onFirstPage === undefined ? PAGE_SIZE : FIRST_PAGE_SIZE;
  const first = await page(Buffer.from(prefix), '0', firstSize);
  const { position } = first;
  for (let read = first; ;) {
    const last = isWanted() ? read.last : undefined;
    // Asked for before the one at hand is read, and all at the revision of the first.
    const next = last && page(Buffer.concat([last, Buffer.of(0)]), position.revision.toString());
    // If it fails before it is waited for, it still is.
    next?.catch(() => {});
    for (const entry of read.entries) {
      const pause = onEntry(entry);
      if (pause !== undefined) await pause;
    }
    if (next === undefined) return position;
    if (read === first) onFirstPage?.();
    read = await next;
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
  const range = { start: key, end: rangeEnd(key) };
  const start_revision = fromRevision.toString();
  const create_request = { key, range_end: range.end, start_revision, progress_notify: true };
  let over = false;
  let cancel: (() => void) | undefined;
  const end = (error: unknown): void => {
    if (over) return;
    over = true;
    cancel?.();
    // A refusal is the same everywhere.
    if (isAnothersTurn(error)) connection.leave(member);
    handlers.onEnd(toDiscoveryError('watch', error));
  };
  // A token that is refused fails the attempt alone: the next one has another.
  const attempt = (stream: WatchStream): Promise<void> =>
    new Promise((confirm, refuse) => {
      let fail = refuse;
      cancel = () => closeStream(stream);
      ownErrors(stream);
      // Stays on after the end: cancelling makes an error of its own, and one without a listener would be thrown.
      stream.on('error', (error) => fail(error));
      stream.on('end', () => fail(new Error('the watch stream ended')));
      stream.on('data', (reply) => {
        if (over) return;
        const news = newsOf(reply, range, fail === end);
        if (news instanceof Error) {
          closeStream(stream);
          fail(news);
          return;
        }
        if (news.created !== undefined) {
          fail = end;
          confirm();
          handlers.onCreated(news.created);
        }
        const { changes, revision } = news;
        if (revision !== undefined && !over) handlers.onChanges(changes, revision);
      });
      if (over) closeStream(stream);
      else stream.write({ create_request });
    });
  connection
    .send(member, {}, async ({ watchClient }, options) =>
      attempt(await watchClient.watch(requireLeader(options))),
    )
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

type WatchStream = Awaited<
  ReturnType<ReturnType<EtcdConnection['member']>['watchClient']['watch']>
>;

/** What a reply of a watch says, or why the watch is over. */
function newsOf(
  reply: unknown,
  range: KeyRange,
  isConfirmed: boolean,
): Extract<WatchNews, { type: 'going-on' }> | Error {
  try {
    const news = readNews(reply, range);
    if (news.type === 'cancelled') {
      return new Error(`etcd cancelled the watch (${news.reason})`);
    }
    if (news.changes.length > 0 && !isConfirmed && news.created === undefined) {
      return new MalformedReplyError(
        'the reply makes no sense: changes come before the confirmation',
      );
    }
    return news;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
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
