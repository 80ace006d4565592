/**
 * Runs puts, deletions and transactions on the store: compares first, then every check, then all writes at
 * one revision.
 */
import { singleKey, toByteKey, toByteRange } from '../store/byte-range.js';
import { refusal } from '../wire/etcd-error.js';
import type { KvStore, StoreWriter } from '../store/kv-store.js';
import { checkRangeRevision, executeRange } from './range-query.js';
import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  KeyValue,
  PutRequest,
  PutResponse,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from '../wire/wire-messages.js';

/** Whether a lease exists; needed by puts. */
type HasLease = (id: string) => boolean;

/**
 * A transaction whose compares were evaluated: the branch to run, and the same for the transactions nested in
 * it.
 */
interface Decided {
  readonly succeeded: boolean;
  readonly operations: readonly { readonly operation: RequestOp; readonly nested?: Decided }[];
}

const absent: KeyValue = {
  key: new Uint8Array(0),
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: new Uint8Array(0),
  lease: '0',
};

/** Answers a put. */
export function executePut(store: KvStore, hasLease: HasLease, request: PutRequest): PutResponse {
  checkPut(store, hasLease, request);
  return store.write((writer) => put(store, writer, request));
}

/** Answers a deletion. */
export function executeDelete(store: KvStore, request: DeleteRangeRequest): DeleteRangeResponse {
  return store.write((writer) => deleteRange(store, writer, request));
}

/** Answers a transaction; the headers of its parts have only the revision. */
export function executeTransaction(
  store: KvStore,
  hasLease: HasLease,
  request: TxnRequest,
): TxnResponse {
  const decided = decide(store, request);
  check(store, hasLease, decided);
  const response = store.write((writer) => run(store, writer, decided));
  return { ...response, header: { revision: store.revision } };
}

function decide(store: KvStore, request: TxnRequest): Decided {
  const succeeded = request.compare.every((compare) => holds(store, compare));
  const branch = succeeded ? request.success : request.failure;
  const operations = branch.map((operation) =>
    operation.request === 'requestTxn'
      ? { operation, nested: decide(store, operation.requestTxn) }
      : { operation },
  );
  return { succeeded, operations };
}

/**
 * A compare holds if it holds for every key of its range. A range without keys compares as one key with only
 * zeros; a compare by value never holds for it.
 */
function holds(store: KvStore, compare: Compare): boolean {
  const found = store.read(toByteRange(compare.key, compare.rangeEnd));
  if (found.length === 0) return compare.target !== 3 && compareHolds(compare, absent);
  return found.every((kv) => compareHolds(compare, kv));
}

function compareHolds(compare: Compare, kv: KeyValue): boolean {
  const difference = compareTarget(compare, kv);
  switch (compare.result) {
    case 0:
      return difference === 0;
    case 1:
      return difference > 0;
    case 2:
      return difference < 0;
    case 3:
      return difference !== 0;
    default:
      return true;
  }
}

function compareTarget(compare: Compare, kv: KeyValue): number {
  switch (compare.target) {
    case 0:
      return kv.version - Number(compare.version ?? 0);
    case 1:
      return kv.createRevision - Number(compare.createRevision ?? 0);
    case 2:
      return kv.modRevision - Number(compare.modRevision ?? 0);
    case 3:
      return Buffer.compare(kv.value, compare.value ?? absent.value);
    case 4: {
      const [actual, wanted] = [BigInt(kv.lease), BigInt(compare.lease ?? 0)];
      return actual === wanted ? 0 : actual < wanted ? -1 : 1;
    }
    default:
      return 0;
  }
}

function check(store: KvStore, hasLease: HasLease, decided: Decided): void {
  for (const { operation, nested } of decided.operations) {
    if (operation.request === 'requestRange') checkRangeRevision(store, operation.requestRange);
    if (operation.request === 'requestPut') checkPut(store, hasLease, operation.requestPut);
    if (nested !== undefined) check(store, hasLease, nested);
  }
}

function checkPut(store: KvStore, hasLease: HasLease, request: PutRequest): void {
  if (request.lease !== '0' && !hasLease(request.lease)) throw refusal('leaseNotFound');
  if (!request.ignoreValue && !request.ignoreLease) return;
  if (store.read(singleKey(toByteKey(request.key))).length === 0) throw refusal('keyNotFound');
}

function run(store: KvStore, writer: StoreWriter, decided: Decided): TxnResponse {
  const responses = decided.operations.map(({ operation, nested }): ResponseOp => {
    switch (operation.request) {
      case 'requestRange':
        return { responseRange: executeRange(store, operation.requestRange) };
      case 'requestPut':
        return { responsePut: put(store, writer, operation.requestPut) };
      case 'requestDeleteRange':
        return { responseDeleteRange: deleteRange(store, writer, operation.requestDeleteRange) };
      default:
        if (nested === undefined) throw refusal('keyNotFound');
        return { responseTxn: run(store, writer, nested) };
    }
  });
  // etcd leaves the header of a nested transaction empty.
  return { header: { revision: 0 }, succeeded: decided.succeeded, responses };
}

function put(store: KvStore, writer: StoreWriter, request: PutRequest): PutResponse {
  const byteKey = toByteKey(request.key);
  const [previous] = store.read(singleKey(byteKey));
  writer.put(
    byteKey,
    request.ignoreValue && previous !== undefined ? previous.value : request.value,
    request.ignoreLease && previous !== undefined ? previous.lease : request.lease,
  );
  return {
    header: { revision: store.revision },
    ...(request.prevKv ? { prevKv: previous } : {}),
  };
}

function deleteRange(
  store: KvStore,
  writer: StoreWriter,
  request: DeleteRangeRequest,
): DeleteRangeResponse {
  const deleted = writer.delete(toByteRange(request.key, request.rangeEnd));
  return {
    header: { revision: store.revision },
    deleted: deleted.length,
    prevKvs: request.prevKv ? deleted : [],
  };
}
