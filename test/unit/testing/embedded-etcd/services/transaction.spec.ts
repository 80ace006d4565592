import { describe, expect, it } from 'vitest';
import { KvStore } from '../../../../../lib/testing/embedded-etcd/store/kv-store.js';
import { executeRange } from '../../../../../lib/testing/embedded-etcd/services/range-query.js';
import {
  executePut,
  executeTransaction,
} from '../../../../../lib/testing/embedded-etcd/services/transaction.js';
import {
  checkTransaction,
  isReadOnly,
  isSerializable,
} from '../../../../../lib/testing/embedded-etcd/services/transaction-check.js';
import type {
  Compare,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../../../../../lib/testing/embedded-etcd/wire/wire-messages.js';

const none = new Uint8Array(0);
const hasNoLease = (): boolean => false;

const putRequest = (key: string, more: Partial<PutRequest> = {}): PutRequest => ({
  key: Buffer.from(key),
  value: none,
  lease: '0',
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
  ...more,
});
const rangeRequest = (key: string, more: Partial<RangeRequest> = {}): RangeRequest => ({
  key: Buffer.from(key),
  rangeEnd: none,
  limit: '0',
  revision: '0',
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: '0',
  maxModRevision: '0',
  minCreateRevision: '0',
  maxCreateRevision: '0',
  ...more,
});
const put = (key: string, more: Partial<PutRequest> = {}): RequestOp => ({
  request: 'requestPut',
  requestPut: putRequest(key, more),
});
const read = (key: string, more: Partial<RangeRequest> = {}): RequestOp => ({
  request: 'requestRange',
  requestRange: rangeRequest(key, more),
});
const remove = (key: string, rangeEnd = ''): RequestOp => ({
  request: 'requestDeleteRange',
  requestDeleteRange: { key: Buffer.from(key), rangeEnd: Buffer.from(rangeEnd), prevKv: false },
});
const nest = (request: TxnRequest): RequestOp => ({ request: 'requestTxn', requestTxn: request });
const txn = (
  success: RequestOp[],
  failure: RequestOp[] = [],
  compare: Compare[] = [],
): TxnRequest => ({
  compare,
  success,
  failure,
});

describe('checkTransaction', () => {
  const duplicate = 'duplicate key given in txn request';
  it.each<[string, TxnRequest, string | undefined]>([
    ['two puts of one key', txn([put('a'), put('a')]), duplicate],
    ['a put within a deletion', txn([remove('a', 'c'), put('b')]), duplicate],
    ['a put beside a deletion', txn([remove('a', 'c'), put('c')]), undefined],
    ['a put below a deletion', txn([remove('a'), nest(txn([put('a')]))]), duplicate],
    ['a put above a nested deletion', txn([put('a'), nest(txn([remove('a')]))]), duplicate],
    [
      'one key in two nested transactions',
      txn([nest(txn([put('a')])), nest(txn([put('a')]))]),
      duplicate,
    ],
    ['one key in both branches', txn([nest(txn([put('a')], [put('a')]))]), undefined],
    ['two deletions', txn([remove('a'), remove('a', 'c')]), undefined],
    ['no key', txn([put('')]), 'key is not provided'],
    ['an empty part', txn([{}]), 'key not found'],
    ['129 puts', txn(Array.from({ length: 129 }, (_, i) => put(`${i}`))), 'too many operations'],
  ])('accepts or refuses %s as etcd does', (_name, request, refusal) => {
    if (refusal === undefined) expect(() => checkTransaction(request)).not.toThrow();
    else expect(() => checkTransaction(request)).toThrow(refusal);
  });

  it('recognises transactions that only read, and those that need no leader', () => {
    expect([txn([read('a')], [read('b')]), txn([]), txn([put('a')])].map(isReadOnly)).toEqual([
      true,
      true,
      false,
    ]);
    const local = read('a', { serializable: true });
    expect([txn([local]), txn([local, read('a')])].map(isSerializable)).toEqual([true, false]);
  });
});

describe('executeTransaction', () => {
  it('writes nothing if one operation fails', () => {
    const store = new KvStore();
    const request = txn([put('a'), put('b', { lease: '5' })]);
    expect(() => executeTransaction(store, hasNoLease, request)).toThrow('lease not found');
    expect(store.revision).toBe(1);
  });

  it('evaluates the compares of nested transactions on the state before the transaction', () => {
    const store = new KvStore();
    const isNew: Compare = { result: 0, target: 0, key: Buffer.from('a'), rangeEnd: none };
    const request = txn([put('a'), nest(txn([put('then')], [put('else')], [isNew]))]);
    const { header, responses } = executeTransaction(store, hasNoLease, request);
    expect(header.revision).toBe(2);
    expect(responses[1]).toMatchObject({ responseTxn: { succeeded: true } });
  });
});

describe('executeRange', () => {
  it('counts all keys of the range, regardless of limit and filters', () => {
    const store = new KvStore();
    for (const key of ['a', 'b', 'c']) executePut(store, hasNoLease, putRequest(key));
    const all = { rangeEnd: Buffer.from('z') };
    expect(executeRange(store, rangeRequest('a', { ...all, limit: '1' }))).toMatchObject({
      count: 3,
      more: true,
      kvs: [{ version: 1 }],
    });
    const late = rangeRequest('a', { ...all, minModRevision: '4' });
    expect(executeRange(store, late)).toMatchObject({ count: 3, more: false, kvs: [{}] });
  });
});
