/** How etcd treats a range end that was sent and is empty. */
import type { RequestOp, TxnRequest } from '../wire/wire-messages.js';

/** Anything with a range end that may have been sent. */
interface WithRangeEnd {
  readonly rangeEnd?: Uint8Array;
}

const everyKeyFromThereOn = new Uint8Array(1);

/**
 * Gives a read the range that etcd reads. In requests that do not go through etcd's log, an empty range end
 * that was sent means no upper bound: the range has every key from `key` on. Writes go through the log, where
 * the empty end gets lost. Go's clients never send one, others may.
 */
export function openEmptyEnds<R extends WithRangeEnd>(request: R): R {
  const isEmpty = request.rangeEnd !== undefined && request.rangeEnd.length === 0;
  return isEmpty ? { ...request, rangeEnd: everyKeyFromThereOn } : request;
}

/** Does what {@link openEmptyEnds} does for the compares and ranges of a transaction that only reads. */
export function openEmptyEndsOfReads(request: TxnRequest): TxnRequest {
  const open = (operation: RequestOp): RequestOp =>
    operation.request === 'requestRange'
      ? { ...operation, requestRange: openEmptyEnds(operation.requestRange) }
      : operation;
  return {
    compare: request.compare.map(openEmptyEnds),
    success: request.success.map(open),
    failure: request.failure.map(open),
  };
}
