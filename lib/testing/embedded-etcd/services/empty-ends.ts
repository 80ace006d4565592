/** What etcd makes of a range end that is sent, and empty. */
import type { RequestOp, TxnRequest } from '../wire/wire-messages.js';

/** Anything with a range end that may have been sent. */
interface WithRangeEnd {
  readonly rangeEnd?: Uint8Array;
}

const everyKeyFromThereOn = new Uint8Array(1);

/**
 * A read as etcd understands it when it does not go through its log: an empty range end that was sent is no end, so that the
 * range is every key from its own on. Go's clients never send one, others may; in requests that go through the log, those
 * that write, it gets lost on the way.
 */
export function openEmptyEnds<R extends WithRangeEnd>(request: R): R {
  const isEmpty = request.rangeEnd !== undefined && request.rangeEnd.length === 0;
  return isEmpty ? { ...request, rangeEnd: everyKeyFromThereOn } : request;
}

/** The same for a transaction that only reads: for its compares and its ranges. */
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
