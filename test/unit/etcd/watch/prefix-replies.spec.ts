import { describe, expect, it } from 'vitest';
import { MalformedReplyError } from '../../../../lib/etcd/connection/etcd-error.js';
import { readNews, readPage } from '../../../../lib/etcd/watch/prefix-replies.js';

const RANGE = { start: Buffer.from('api/'), end: Buffer.from('api0') };
const header = { cluster_id: '17', member_id: '1', revision: '5', raft_term: '1' };
const kv = { key: Buffer.from('api/a'), value: Buffer.from('v'), lease: '7', mod_revision: '4' };
const entry = { key: 'api/a', value: Buffer.from('v'), lease: '7' };

const PAGE = { header, kvs: [kv], more: true };
const NEWS = {
  header,
  created: true,
  canceled: false,
  compact_revision: '0',
  cancel_reason: '',
  events: [
    { type: 'Put', kv },
    { type: 'Delete', kv: { ...kv, value: Buffer.of(), lease: '0', mod_revision: '5' } },
  ],
};

/** Wrong values for the fields of a reply. */
const WRONG = [
  undefined,
  null,
  '',
  'x',
  '-1',
  7,
  -1,
  true,
  [],
  {},
  [null],
  Buffer.from('zzz'),
  NaN,
];

/** Copies of a message, each with one part replaced by a wrong value. */
function* spoiled(message: unknown): Generator<unknown> {
  if (typeof message !== 'object' || message === null || Buffer.isBuffer(message)) return;
  for (const [name, value] of Object.entries(message)) {
    const put = (changed: unknown): unknown =>
      Array.isArray(message)
        ? message.map((one: unknown, index) => (String(index) === name ? changed : one))
        : { ...message, [name]: changed };
    for (const wrong of WRONG) yield put(wrong);
    for (const inner of spoiled(value)) yield put(inner);
  }
}

describe('readPage', () => {
  it('returns the position, the entries, and the last key if more follow', () => {
    const position = { revision: 5n, clusterId: '17' };
    expect(readPage(PAGE, RANGE)).toEqual({ position, entries: [entry], last: kv.key });
    expect(readPage({ ...PAGE, more: false }, RANGE).last).toBeUndefined();
    expect(readPage({ ...PAGE, kvs: [], more: false }, RANGE).entries).toEqual([]);
  });

  it('accepts every key if the range has no upper bound', () => {
    const open = { start: Buffer.of(), end: Buffer.of(0) };
    const last = Buffer.from([0xff, 0xff]);
    expect(readPage({ ...PAGE, kvs: [kv, { ...kv, key: last }] }, open).last).toEqual(last);
  });

  it.each([
    ['no header', { ...PAGE, header: null }, 'no header'],
    ['a revision below 1', { ...PAGE, header: { ...header, revision: '0' } }, 'revision is 0'],
    [
      'a revision that is not a number',
      { ...PAGE, header: { ...header, revision: 'x' } },
      'revision',
    ],
    ['more keys after none', { ...PAGE, kvs: [] }, 'it has none'],
    ['a key before the range', { ...PAGE, kvs: [{ ...kv, key: Buffer.from('api') }] }, 'asked for'],
    [
      'a key behind the range',
      { ...PAGE, kvs: [{ ...kv, key: Buffer.from('api0') }] },
      'asked for',
    ],
  ])('refuses a page with %s, and the error says so', (_, reply, reason) => {
    expect(() => readPage(reply, RANGE)).toThrow(MalformedReplyError);
    expect(() => readPage(reply, RANGE)).toThrow(reason);
  });
});

describe('readNews', () => {
  it('returns the confirmation and the changes', () => {
    expect(readNews(NEWS, RANGE)).toEqual({
      type: 'going-on',
      created: { revision: 5n, clusterId: '17' },
      changes: [
        { key: 'api/a', entry },
        { key: 'api/a', entry: undefined },
      ],
      revision: 5n,
    });
  });

  it('needs a header only in the confirmation, because a proxy may leave out the header of other replies', () => {
    const news = readNews({ ...NEWS, created: false, header: null, events: [] }, RANGE);
    expect(news).toEqual({
      type: 'going-on',
      created: undefined,
      changes: [],
      revision: undefined,
    });
  });

  it.each([
    [{ cancel_reason: 'no leader', compact_revision: '0' }, 'no leader'],
    [{ cancel_reason: '', compact_revision: '9' }, 'compacted at 9'],
    [{ cancel_reason: null, compact_revision: null }, 'no reason given'],
  ])('returns the reason why a watch was cancelled: %o', (fields, reason) => {
    expect(readNews({ ...NEWS, canceled: true, ...fields }, RANGE)).toEqual({
      type: 'cancelled',
      reason,
    });
  });

  it.each([
    ['an event that is neither put nor deletion', { ...NEWS, events: [{ type: 'Other', kv }] }],
    ['an event without a key', { ...NEWS, events: [{ type: 'Delete', kv: null }] }],
    [
      'a last event without a revision',
      { ...NEWS, events: [{ type: 'Put', kv: { ...kv, mod_revision: null } }] },
    ],
    ['a confirmation without a header', { ...NEWS, header: null }],
  ])('refuses a reply with %s', (_, reply) => {
    expect(() => readNews(reply, RANGE)).toThrow(MalformedReplyError);
  });
});

it.each([
  ['page', PAGE, readPage],
  ['reply of a watch', NEWS, readNews],
] as const)(
  'a %s with any wrong value is either read or refused with MalformedReplyError',
  (_, reply, read) => {
    let refused = 0;
    const all = [...WRONG, ...spoiled(reply)];
    for (const message of all) {
      try {
        read(message, RANGE);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedReplyError);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(all.length / 3);
  },
);
