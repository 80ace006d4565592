/**
 * Finds the faults of a transaction that do not depend on the store: missing keys, too many operations, a key
 * written twice.
 */
import {
  type ByteKey,
  type ByteRange,
  contains,
  toByteKey,
  toByteRange,
} from '../store/byte-range.js';
import { refusal } from '../wire/etcd-error.js';
import { checkRangeRequest } from './range-query.js';
import type {
  DeleteRangeRequest,
  PutRequest,
  RequestOp,
  TxnRequest,
} from '../wire/wire-messages.js';

/** How many compares, or operations of one branch, a transaction may have: etcd's default `--max-txn-ops`. */
const MAX_TRANSACTION_OPERATIONS = 128;

/** Refuses a wrong put. */
export function checkPutRequest(request: PutRequest): void {
  if (request.key.length === 0) throw refusal('emptyKey');
  if (request.ignoreValue && request.value.length > 0) throw refusal('valueProvided');
  if (request.ignoreLease && request.lease !== '0') throw refusal('leaseProvided');
}

/** Refuses a wrong deletion. */
export function checkDeleteRequest(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw refusal('emptyKey');
}

/** Refuses a wrong transaction. */
export function checkTransaction(request: TxnRequest): void {
  checkOperations(request, MAX_TRANSACTION_OPERATIONS);
  checkOverlaps(request.success);
  checkOverlaps(request.failure);
}

/** Whether both branches have only reads; as in etcd, a nested transaction counts as a write. */
export function isReadOnly(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].every(
    (operation) => operation.request === 'requestRange',
  );
}

/** Whether every read in a transaction may be served without a leader. */
export function isSerializable(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].every(
    (operation) => operation.request === 'requestRange' && operation.requestRange.serializable,
  );
}

function checkOperations(request: TxnRequest, allowed: number): void {
  const { compare, success, failure } = request;
  const operations = Math.max(compare.length, success.length, failure.length);
  if (operations > allowed) throw refusal('tooManyOperations');
  if (compare.some(({ key }) => key.length === 0)) throw refusal('emptyKey');
  for (const operation of [...success, ...failure]) {
    checkOperation(operation, allowed - operations);
  }
}

function checkOperation(operation: RequestOp, allowed: number): void {
  switch (operation.request) {
    case 'requestRange':
      return checkRangeRequest(operation.requestRange);
    case 'requestPut':
      return checkPutRequest(operation.requestPut);
    case 'requestDeleteRange':
      return checkDeleteRequest(operation.requestDeleteRange);
    case 'requestTxn':
      return checkOperations(operation.requestTxn, allowed);
    default:
      throw refusal('keyNotFound');
  }
}

/** The keys put and the ranges deleted by a list of operations and the transactions nested in it. */
interface Writes {
  readonly puts: Set<ByteKey>;
  readonly deletions: ByteRange[];
}

/**
 * Refuses operations if two of them write one key. The two branches of a nested transaction may write the
 * same key, because only one of them runs.
 */
function checkOverlaps(operations: readonly RequestOp[]): Writes {
  const puts = new Set<ByteKey>();
  const deletions: ByteRange[] = [];
  for (const operation of operations) {
    if (operation.request !== 'requestDeleteRange') continue;
    const { key, rangeEnd } = operation.requestDeleteRange;
    deletions.push(toByteRange(key, rangeEnd));
  }
  const add = (key: ByteKey, mayRepeat?: Set<ByteKey>): void => {
    const repeated = puts.has(key) && mayRepeat?.has(key) !== true;
    if (repeated || deletions.some((range) => contains(range, key))) throw refusal('duplicateKey');
    puts.add(key);
  };
  for (const operation of operations) {
    if (operation.request !== 'requestTxn') continue;
    const then = checkOverlaps(operation.requestTxn.success);
    const otherwise = checkOverlaps(operation.requestTxn.failure);
    for (const key of then.puts) add(key);
    for (const key of otherwise.puts) add(key, then.puts);
    deletions.push(...then.deletions, ...otherwise.deletions);
  }
  for (const operation of operations) {
    if (operation.request === 'requestPut') add(toByteKey(operation.requestPut.key));
  }
  return { puts, deletions };
}
