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

/** A watch that is open or being opened. It calls no handler after `close` or `abandon`. */
export interface OpenWatch {
  close(): void;
  /** Closes a watch that got no reply at all, and replaces the client of its member. */
  abandon(): void;
}

/** The handlers of a watch stream. No call comes after `onEnd`. */
interface WatchHandlers {
  onCreated(position: RegistryPosition): void;
  /** @param revision the revision of the last change */
  onChanges(changes: readonly EtcdChange[], revision: bigint): void;
  onEnd(error: DiscoveryError): void;
}

/**
 * How many keys one reply may hold: thousands at once would block the event loop, and raise the memory of the
 * process for good.
 */
const PAGE_SIZE = 1_000;
/**
 * How many keys the first reply may hold if the caller uses the first page: a short page arrives soon and is
 * read in a few milliseconds.
 */
const FIRST_PAGE_SIZE = 256;

/** How a list is read. */
interface ListOptions {
  /** Called between pages; `false` ends the list early. */
  readonly isWanted?: () => boolean;
  /** Called once, after the first page, if more pages follow. With this callback the first page is short. */
  readonly onFirstPage?: (() => void) | undefined;
}

/**
 * Reads every key under a prefix with its value, all as of one revision.
 *
 * @param onEntry called for one key after the other; if it returns a promise, the next key waits for that
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
    // Requests the next page before it reads this one; all pages are of the first one's revision.
    const next = last && page(Buffer.concat([last, Buffer.of(0)]), position.revision.toString());
    // The page may fail before the `await` below, which gets the error; Node must not report it as unhandled.
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
 * Watches a prefix with one stream and one watch, on the raw client, because etcd3's own watcher loses events
 * when it resumes. A member without a leader ends the watch, and so does every unexpected reply.
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
    // Every member would give the same refusal: switch only after other errors.
    if (isAnothersTurn(error)) connection.leave(member);
    handlers.onEnd(toDiscoveryError('watch', error));
  };
  // A rejected token fails this attempt only: the next attempt has a new token.
  const attempt = (stream: WatchStream): Promise<void> =>
    new Promise((confirm, refuse) => {
      let fail = refuse;
      cancel = () => closeStream(stream);
      ownErrors(stream);
      // The listener stays after the end: cancelling raises an error, which Node throws if it has no
      // listener.
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

/** The content of one reply of a watch, or the reason why the watch is over. */
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
 * The first key after all keys that start with `prefix`: its last byte below 0xff raised by one. For an empty
 * prefix `\0`, which etcd reads as "to the end".
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
