/** One client's watch stream: its watchers, and the replies that they get. */
import type { CancelTimer, Clock } from '../../../core/clock.js';
import type { AuthBook } from '../store/auth-book.js';
import { toByteRange } from '../store/byte-range.js';
import type { EtcdError } from '../wire/etcd-error.js';
import type { Member } from '../member.js';
import type { DuplexCall } from './service-gate.js';
import { splitEvents } from './watch-fragments.js';
import type { WatchSink, Watcher } from '../store/watch-hub.js';
import type {
  Int64,
  WatchCreateRequest,
  WatchEvent,
  WatchRequest,
  WatchResponse,
} from '../wire/wire-messages.js';

/** The watch id of replies that are about no watcher, or about all of them. */
const NO_WATCH_ID = '-1';

interface OpenWatch {
  readonly watcher: Watcher;
  readonly progressNotify: boolean;
  /** Whether nothing was sent since the last progress notification was due. */
  quiet: boolean;
}

/** Serves one watch stream until it ends. */
export class WatchStream {
  private readonly watches = new Map<Int64, OpenWatch>();
  private nextId = 0;
  private open = true;
  private cancelTimer: CancelTimer | undefined;

  /**
   * @param progressIntervalMs how often an idle watcher that asked for it gets the store's revision, in
   *   milliseconds
   */
  constructor(
    private readonly call: DuplexCall,
    private readonly member: Member,
    private readonly auth: AuthBook,
    private readonly clock: Clock,
    private readonly progressIntervalMs: number,
  ) {
    // A client that ends its side still gets events, as from etcd: only cancelling the call ends a watch.
    call.on('data', (request: WatchRequest) => this.take(request));
    call.on('drain', () => this.catchUp());
    call.on('cancelled', () => this.close());
    call.on('error', () => this.close());
  }

  private take(request: WatchRequest): void {
    if (!this.open) return;
    switch (request.requestUnion) {
      case 'createRequest':
        return this.create(request.createRequest);
      case 'cancelRequest':
        return this.cancel(request.cancelRequest.watchId);
      case 'progressRequest':
        return this.tellProgress();
      default:
        return undefined;
    }
  }

  private create(request: WatchCreateRequest): void {
    const startRevision = Number(request.startRevision);
    if (startRevision < 0) {
      return this.refuse('etcdserver: mvcc: required revision has been compacted');
    }
    try {
      this.auth.check(this.call.metadata);
    } catch (error) {
      return this.refuse(refusalText(error as EtcdError));
    }
    const key = request.key.length === 0 ? new Uint8Array(1) : request.key;
    const range = toByteRange(key, request.rangeEnd);
    if (range.end !== undefined && range.start >= range.end) {
      return this.refuse('mvcc: watcher range is empty');
    }
    const id = request.watchId === '0' ? this.freeId() : request.watchId;
    if (this.watches.has(id)) {
      return this.refuse('mvcc: duplicate watch ID provided on the WatchStream');
    }
    const options = {
      range,
      startRevision,
      withoutPuts: request.filters.includes(0),
      withoutDeletions: request.filters.includes(1),
      previous: request.prevKv,
    };
    const watcher = this.member.watches.add(options, this.sink(id, request.fragment));
    const { progressNotify } = request;
    this.watches.set(id, { watcher, progressNotify, quiet: true });
    this.send({ header: this.member.header(), watchId: id, created: true });
    if (progressNotify) this.cancelTimer ??= this.startProgressTimer();
    this.member.watches.catchUp(watcher);
  }

  private sink(id: Int64, fragment: boolean): WatchSink {
    return {
      ready: () => this.open && !this.call.writableNeedDrain,
      deliver: (events, revision) => {
        const watch = this.watches.get(id);
        if (watch !== undefined) watch.quiet = false;
        if (fragment) this.sendFragments(id, events, revision);
        else this.send({ header: this.member.header(revision), watchId: id, events });
      },
      compacted: (compactRevision) => {
        this.watches.delete(id);
        this.send({ header: this.member.header(0), watchId: id, canceled: true, compactRevision });
      },
    };
  }

  private sendFragments(id: Int64, events: readonly WatchEvent[], revision: number): void {
    const parts = splitEvents(events);
    const header = this.member.header(revision);
    parts.forEach((part, index) =>
      this.send({ header, watchId: id, events: part, fragment: index < parts.length - 1 }),
    );
  }

  private cancel(id: Int64): void {
    const watch = this.watches.get(id);
    if (watch === undefined) return;
    this.member.watches.remove(watch.watcher);
    this.watches.delete(id);
    this.send({ header: this.member.header(), watchId: id, canceled: true });
  }

  /** Sends the store's revision, if every watcher of this stream has all events. */
  private tellProgress(): void {
    const { store } = this.member;
    const watches = [...this.watches.values()];
    const synced = watches.every(
      ({ watcher }) => !watcher.behind && watcher.options.startRevision <= store.revision,
    );
    if (synced && watches.length > 0) {
      this.send({ header: this.member.header(), watchId: NO_WATCH_ID });
    }
  }

  private startProgressTimer(): CancelTimer {
    return this.clock.setTimer(this.progressIntervalMs, () => {
      for (const [id, watch] of this.watches) {
        if (!watch.progressNotify) continue;
        const isDue = watch.quiet && !watch.watcher.behind;
        if (isDue) this.send({ header: this.member.header(), watchId: id });
        watch.quiet = true;
      }
      this.cancelTimer = this.startProgressTimer();
    });
  }

  private refuse(cancelReason: string): void {
    const header = this.member.header();
    this.send({ header, watchId: NO_WATCH_ID, created: true, canceled: true, cancelReason });
  }

  private freeId(): Int64 {
    while (this.watches.has(String(this.nextId))) this.nextId += 1;
    const id = String(this.nextId);
    this.nextId += 1;
    return id;
  }

  private catchUp(): void {
    for (const { watcher } of this.watches.values()) this.member.watches.catchUp(watcher);
  }

  private send(response: WatchResponse): void {
    if (this.open) this.call.write(response);
  }

  private close(): void {
    this.open = false;
    this.cancelTimer?.();
    for (const { watcher } of this.watches.values()) this.member.watches.remove(watcher);
    this.watches.clear();
  }
}

/** The refusal of a call, in the form of a cancel reason. */
function refusalText(error: EtcdError): string {
  const code = error.details.endsWith('invalid auth token') ? 'Unauthenticated' : 'InvalidArgument';
  return `rpc error: code = ${code} desc = ${error.details}`;
}
