/** Answers a range request from the store: filters, order, limit. */
import { toByteRange } from '../store/byte-range.js';
import { refusal } from '../wire/etcd-error.js';
import type { KvStore } from '../store/kv-store.js';
import type { KeyValue, RangeRequest, RangeResponse } from '../wire/wire-messages.js';

const noBytes = new Uint8Array(0);

type Order = (a: KeyValue, b: KeyValue) => number;

/** The orders, by the number of `sortTarget`: key, version, create revision, mod revision, value. */
const orders: readonly Order[] = [
  (a, b) => Buffer.compare(a.key, b.key),
  (a, b) => a.version - b.version,
  (a, b) => a.createRevision - b.createRevision,
  (a, b) => a.modRevision - b.modRevision,
  (a, b) => Buffer.compare(a.value, b.value),
];

/** Refuses a request that is wrong whatever the store holds. */
export function checkRangeRequest(request: RangeRequest): void {
  if (request.key.length === 0) throw refusal('emptyKey');
  if (request.sortOrder < 0 || request.sortOrder > 2) throw refusal('invalidSortOption');
  if (request.sortTarget < 0 || request.sortTarget > 4) throw refusal('invalidSortOption');
}

/** Refuses a range at a compacted or future revision; for transactions, which check before they write. */
export function checkRangeRevision(store: KvStore, request: RangeRequest): void {
  const revision = Number(request.revision);
  if (revision === 0) return;
  if (revision > store.revision) throw refusal('futureRevision');
  if (revision < store.compactRevision) throw refusal('compacted');
}

/** The answer to a range request; its header has only the revision. */
export function executeRange(store: KvStore, request: RangeRequest): RangeResponse {
  const range = toByteRange(request.key, request.rangeEnd);
  let kvs: KeyValue[] = store.read(range, Number(request.revision));
  const count = kvs.length;
  const header = { revision: store.revision };
  if (request.countOnly) return { header, kvs: [], more: false, count };

  kvs = withinBounds(kvs, request);
  const order = orders[request.sortTarget];
  const ascending =
    request.sortOrder === 1 || (request.sortOrder === 0 && request.sortTarget !== 0);
  if (order !== undefined && request.sortOrder === 2) kvs.sort((a, b) => order(b, a));
  else if (order !== undefined && ascending) kvs.sort(order);

  const limit = Number(request.limit);
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs = kvs.slice(0, limit);
  if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: noBytes }));
  return { header, kvs, more, count };
}

function withinBounds(kvs: KeyValue[], request: RangeRequest): KeyValue[] {
  const minMod = Number(request.minModRevision);
  const maxMod = Number(request.maxModRevision);
  const minCreate = Number(request.minCreateRevision);
  const maxCreate = Number(request.maxCreateRevision);
  if (minMod === 0 && maxMod === 0 && minCreate === 0 && maxCreate === 0) return kvs;
  return kvs.filter(
    (kv) =>
      (minMod === 0 || kv.modRevision >= minMod) &&
      (maxMod === 0 || kv.modRevision <= maxMod) &&
      (minCreate === 0 || kv.createRevision >= minCreate) &&
      (maxCreate === 0 || kv.createRevision <= maxCreate),
  );
}
