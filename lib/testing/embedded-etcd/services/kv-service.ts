/** etcd's KV service on a member. */
import { openEmptyEnds, openEmptyEndsOfReads } from './empty-ends.js';
import { type Refusal, refusal } from '../wire/etcd-error.js';
import type { Member } from '../member.js';
import { checkRangeRequest, executeRange } from './range-query.js';
import type { ServiceMethodsServed } from './service-gate.js';
import { executeDelete, executePut, executeTransaction } from './transaction.js';
import {
  checkDeleteRequest,
  checkPutRequest,
  checkTransaction,
  isReadOnly,
  isSerializable,
} from './transaction-check.js';
import { requestSize } from '../wire/wire-codec.js';
import type {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  ResponseHeader,
  TxnRequest,
} from '../wire/wire-messages.js';

/** The largest request that changes something, in bytes: etcd's default `--max-request-bytes`. */
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;

/** About how many bytes etcd's log adds to a request; they count against the limit too. */
const LOG_ENTRY_OVERHEAD_BYTES = 20;

const write = (): Refusal => 'deadlineExceeded';

/** The KV service: Range, Put, DeleteRange, Txn and Compact. */
export function kvService(member: Member): ServiceMethodsServed {
  const hasLease = (id: string): boolean => member.leases.has(id);
  const withHeader = <R extends { readonly header: ResponseHeader }>(reply: R): R => ({
    ...reply,
    header: member.header(reply.header.revision),
  });
  return {
    Range: {
      withoutLeader: (request: RangeRequest) => (request.serializable ? 'serve' : 'timeout'),
      reply(request: RangeRequest) {
        checkRangeRequest(request);
        return withHeader(executeRange(member.store, openEmptyEnds(request)));
      },
    },
    Put: {
      withoutLeader: write,
      reply(request: PutRequest) {
        checkPutRequest(request);
        checkSize(request);
        return withHeader(executePut(member.store, hasLease, request));
      },
    },
    DeleteRange: {
      withoutLeader: write,
      reply(request: DeleteRangeRequest) {
        checkDeleteRequest(request);
        checkSize(request);
        return withHeader(executeDelete(member.store, request));
      },
    },
    Txn: {
      withoutLeader(request: TxnRequest) {
        if (!isReadOnly(request)) return 'deadlineExceeded';
        return isSerializable(request) ? 'serve' : 'timeout';
      },
      reply(request: TxnRequest) {
        checkTransaction(request);
        const readOnly = isReadOnly(request);
        if (!readOnly) checkSize(request);
        const understood = readOnly ? openEmptyEndsOfReads(request) : request;
        return withHeader(executeTransaction(member.store, hasLease, understood));
      },
    },
    Compact: {
      withoutLeader: write,
      reply(request: CompactionRequest) {
        member.store.compact(Number(request.revision));
        return { header: member.header() };
      },
    },
  };
}

function checkSize(request: object): void {
  if (requestSize(request) + LOG_ENTRY_OVERHEAD_BYTES > MAX_REQUEST_BYTES) {
    throw refusal('requestTooLarge');
  }
}
