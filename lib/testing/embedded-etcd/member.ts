/** The one member of the embedded cluster: store, leases and watchers put together, without a socket. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.js';
import { singleKey } from './store/byte-range.js';
import { KvStore, type StoreContent } from './store/kv-store.js';
import { LeaseBook } from './store/lease-book.js';
import { WatchHub } from './store/watch-hub.js';
import type { ResponseHeader } from './wire/wire-messages.js';

/** The raft term in every reply: that of a single member after its first election. */
export const RAFT_TERM = 2;

/** What a member keeps across a restart. */
export interface MemberContent {
  readonly clusterId: string;
  readonly memberId: string;
  readonly store: StoreContent;
  readonly leases: readonly { readonly id: string; readonly ttlSeconds: number }[];
}

/** Holds the keys, leases and watchers that the requests of etcd's API read and change. */
export class Member {
  /** The id of the cluster, in decimal digits; {@link wipe} makes a new one. */
  clusterId = randomId();
  /** The id of the member, in decimal digits; {@link wipe} makes a new one. */
  memberId = randomId();
  store!: KvStore;
  leases!: LeaseBook;
  watches!: WatchHub;

  /** @param clock tells the time by which leases end */
  constructor(private readonly clock: Clock) {
    this.build();
  }

  /** The header of a reply, by default at the current revision. */
  header(revision = this.store.revision): ResponseHeader {
    const { clusterId, memberId } = this;
    return { clusterId, memberId, revision, raftTerm: RAFT_TERM };
  }

  /** Starts over as another cluster: revision 1, no keys, no leases, no watchers. */
  wipe(): void {
    this.leases.clear();
    this.clusterId = randomId();
    this.memberId = randomId();
    this.build();
  }

  /** The content that survives a restart. */
  content(): MemberContent {
    const { clusterId, memberId } = this;
    const leases = this.leases.all().map(({ id, ttlSeconds }) => ({ id, ttlSeconds }));
    return { clusterId, memberId, store: this.store.content(), leases };
  }

  /** Restores the content of an earlier member. The time to live of every lease restarts, as in etcd. */
  restore(content: MemberContent): void {
    this.wipe();
    this.clusterId = content.clusterId;
    this.memberId = content.memberId;
    this.store.restore(content.store);
    for (const { id, ttlSeconds } of content.leases) this.leases.grant(ttlSeconds, id);
    const everything = { start: '\0', end: undefined, single: false };
    const live = this.store.read(everything);
    this.leases.follow(live.map((now) => ({ now, before: undefined })));
  }

  private build(): void {
    const store = new KvStore();
    const leases = new LeaseBook(
      this.clock,
      (keys) => store.write((writer) => keys.map((key) => writer.delete(singleKey(key)))),
      randomId,
    );
    store.subscribe((_revision, changes) => leases.follow(changes));
    this.store = store;
    this.leases = leases;
    this.watches = new WatchHub(store);
  }
}

/** A random number of 63 bits, above 0, as decimal digits. */
function randomId(): string {
  return String((randomBytes(8).readBigUInt64BE() >> 1n) | 1n);
}
