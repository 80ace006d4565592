import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RegistryUpdate } from '../../../../lib/core/snapshot/registry-update.js';
import type { EtcdConnection } from '../../../../lib/etcd/connection/etcd-connection.js';
import { resolveTimings } from '../../../../lib/etcd/etcd-timings.js';
import { PrefixWatch } from '../../../../lib/etcd/watch/prefix-watch.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';

/** One watch stream of {@link member}. */
class Stream extends EventEmitter {
  startRevision = '';
  open = true;

  write({ create_request }: { readonly create_request: { readonly start_revision: string } }) {
    this.startRevision = create_request.start_revision;
    const confirmation = { header: headerAt(revision), created: true, canceled: false, events: [] };
    this.emit('data', confirmation);
  }

  end(): void {}

  cancel(): void {
    this.open = false;
  }

  /** Sends one reply; each change has a revision of its own. */
  tell(...changes: readonly [type: 'Put' | 'Delete', key: string, value?: string][]): void {
    const events = changes.map(([type, key, value = '']) => {
      const kv = { key: Buffer.from(`api/${key}`), value: Buffer.from(value), lease: '7' };
      return { type, kv: { ...kv, mod_revision: String(++revision) } };
    });
    const header = headerAt(revision);
    this.emit('data', { header, created: false, canceled: false, events });
  }
}

let revision: number;
let streams: Stream[];
let decoded: string[];
let updates: RegistryUpdate<string>[];
let clock: FakeClock;

const headerAt = (at: number) => ({ revision: String(at), cluster_id: '17' });
const settled = () => new Promise((resolve) => setImmediate(resolve));

const member = {
  kv: { range: async () => ({ header: headerAt(revision), kvs: [], more: false }) },
  watchClient: {
    watch: async () => {
      const stream = new Stream();
      streams.push(stream);
      return stream;
    },
  },
};

const connection = {
  member: () => member,
  request: async (_what: string, run: (with_: object, options: object) => unknown) =>
    run(member, {}),
  send: async (
    _member: object,
    options: object,
    run: (with_: object, options: object) => unknown,
  ) => run(member, options),
} as unknown as EtcdConnection;

beforeEach(async () => {
  revision = 10;
  [streams, decoded, updates] = [[], [], []];
  clock = new FakeClock();
  new PrefixWatch<string>({
    connection,
    clock,
    random: () => 0.5,
    timings: resolveTimings(undefined),
    prefix: 'api/',
    decode: ({ value }) => {
      const text = Buffer.from(value).toString();
      decoded.push(text);
      return text === 'bad'
        ? { ok: false, kind: 'no-record', reason: 'bad' }
        : { ok: true, value: text };
    },
    isLeaving: (value) => value === 'leaving',
    onUpdate: (update) => updates.push(update),
    onEvent: () => {},
  }).start();
  await settled();
  expect(streams).toHaveLength(1);
});

/** Sends changes of one key, one per millisecond, as long as the stream is open. */
function flood(stream: Stream, changes: number): void {
  for (let change = 0; change < changes && stream.open; change++) {
    stream.tell([change % 2 === 0 ? 'Put' : 'Delete', 'x', `v${change}`]);
    clock.advance(1);
  }
}

/** This many changes of one key, in the form of a reply. */
function piece(count: number): ['Delete', 'x'][] {
  return Array.from({ length: count }, () => ['Delete', 'x']);
}

/** The content of the last update. */
function lastChange(): object {
  const update = updates.at(-1);
  if (update?.kind !== 'change') throw new Error('no change');
  const { change, left, ignored } = update;
  return { put: [...change.put], removed: change.removed, left, ignored };
}

describe('PrefixWatch, with a thousand changes a second', () => {
  it('ends its stream, and gets the changes of the pause in one reply of another stream', async () => {
    const [first] = streams;
    flood(first!, 1_000);
    expect(first!.open).toBe(false);
    const seen = revision;
    expect(updates.length).toBeLessThan(80);
    revision += 200;
    clock.advance(198);
    await settled();
    expect(streams).toHaveLength(1);
    clock.advance(1);
    await settled();
    expect(streams).toHaveLength(2);
    expect(streams[1]!.startRevision).toBe(String(seen + 1));
    // The flood goes on; one reply is enough to detect that.
    streams[1]!.tell(...piece(200));
    expect(streams[1]!.open).toBe(false);
    expect(updates.every(({ kind }) => kind !== 'failure')).toBe(true);
  });

  it('does not pause again while it is behind: etcd sends 1,000 revisions at a time', async () => {
    flood(streams[0]!, 1_000);
    clock.advance(1_000);
    await settled();
    streams[1]!.tell(...piece(1_000));
    streams[1]!.tell(...piece(500));
    expect(streams[1]!.open).toBe(true);
    streams[1]!.tell(...piece(100));
    expect(streams[1]!.open).toBe(false);
  });

  it('passes a change on at once after the flood', async () => {
    flood(streams[0]!, 1_000);
    clock.advance(1_000);
    await settled();
    const told = updates.length;
    streams[1]!.tell(['Put', 'y', 'new']);
    expect(streams[1]!.open).toBe(true);
    expect(updates).toHaveLength(told + 1);
  });
});

describe('PrefixWatch, on a reply with several changes', () => {
  it('decodes the last value of each key, however often it changes', () => {
    streams[0]!.tell(['Put', 'x', '1'], ['Delete', 'x'], ['Put', 'y', '2'], ['Put', 'x', '3']);
    expect(decoded).toEqual(['2', '3']);
    const put = [
      ['api/y', '2'],
      ['api/x', '3'],
    ];
    expect(lastChange()).toEqual({ put, removed: [], left: undefined, ignored: undefined });
  });

  it.each<[string, string, readonly ['Put' | 'Delete', string, string?][], object]>([
    [
      'an announcement',
      'an announced removal',
      [['Put', 'x', 'leaving']],
      { removed: ['api/x'], left: ['api/x'] },
    ],
    [
      'an announcement and the deletion of its key',
      'an announced removal',
      [
        ['Put', 'x', 'leaving'],
        ['Delete', 'x'],
      ],
      { removed: ['api/x'], left: ['api/x'] },
    ],
    [
      'an announcement and a value that takes it back',
      'a put of that value',
      [
        ['Put', 'x', 'leaving'],
        ['Put', 'x', 'back'],
      ],
      { put: [['api/x', 'back']], left: undefined },
    ],
    [
      'an announcement, a value that takes it back, and a deletion',
      'a removal without an announcement',
      [
        ['Put', 'x', 'leaving'],
        ['Put', 'x', 'back'],
        ['Delete', 'x'],
      ],
      { removed: ['api/x'], left: undefined },
    ],
    [
      'a value that cannot be decoded',
      'a removal and an ignored value',
      [['Put', 'x', 'bad']],
      { removed: ['api/x'], ignored: [expect.objectContaining({ count: 1 })] },
    ],
    [
      'a value that cannot be decoded, and its deletion',
      'a removal and no ignored value',
      [
        ['Put', 'x', 'bad'],
        ['Delete', 'x'],
      ],
      { removed: ['api/x'], ignored: undefined },
    ],
  ])('publishes %s as %s', (_given, _published, changes, expected) => {
    streams[0]!.tell(...changes);
    expect(lastChange()).toMatchObject(expected);
  });
});
