/** Put, Range, DeleteRange and Compact: revisions, versions, ranges, history. */
import { type ContractCase, contract } from './contract-case.js';
import { compacted, future, header, invalid, kv } from './expectations.js';
import { methodOf } from './raw-client.js';

const cases: ContractCase[] = [
  {
    name: 'the first put of a key makes version 1 and raises the revision by one',
    run: async (server) => [await server.put('a', '1'), await server.get('a')],
    expected: [
      { header: header(1) },
      { header: header(1), kvs: [kv('a', '1', 1, 1, 1)], count: 1 },
    ],
  },
  {
    name: 'a second put keeps the create revision and raises the version',
    async run(server) {
      await server.put('a', '1');
      await server.put('b', '1');
      await server.put('a', '2');
      return server.get('a');
    },
    expected: { header: header(3), kvs: [kv('a', '2', 1, 3, 2)], count: 1 },
  },
  {
    name: 'a put of the same value makes a new version too',
    async run(server) {
      await server.put('a', '1');
      await server.put('a', '1');
      return server.get('a');
    },
    expected: { header: header(2), kvs: [kv('a', '1', 1, 2, 2)], count: 1 },
  },
  {
    name: 'a put returns the previous value on request',
    run: async (server) => [
      await server.put('a', '1', { prev_kv: true }),
      await server.put('a', '2', { prev_kv: true }),
    ],
    expected: [{ header: header(1) }, { header: header(2), prev_kv: kv('a', '1', 1, 1, 1) }],
  },
  {
    name: 'a put of an empty value stores it',
    run: async (server) => [await server.put('a', ''), await server.get('a')],
    expected: [{ header: header(1) }, { header: header(1), kvs: [kv('a', '', 1, 1, 1)], count: 1 }],
  },
  {
    name: 'a put may keep the value or the lease of the key',
    async run(server) {
      const lease = await server.lease();
      await server.put('a', '1', { lease });
      await server.put('a', '', { ignore_value: true, lease });
      await server.put('a', '2', { ignore_lease: true });
      return server.get('a');
    },
    expected: {
      header: header(3),
      kvs: [{ ...kv('a', '2', 1, 3, 3), lease: 'lease 1' }],
      count: 1,
    },
  },
  {
    name: 'a put without a lease detaches the key from its lease',
    async run(server) {
      const lease = await server.lease();
      await server.put('a', '1', { lease });
      await server.put('a', '2');
      const ttl = await server.call('Lease/LeaseTimeToLive', { ID: lease, keys: true });
      return [(ttl as { keys?: unknown }).keys, await server.get('a')];
    },
    expected: [undefined, { header: header(2), kvs: [kv('a', '2', 1, 2, 2)], count: 1 }],
  },
  {
    name: 'a put with ignore_value or ignore_lease is refused if the key does not exist, or if the put has such a value or lease',
    run: async (server) => [
      await server.put('a', '', { ignore_value: true }),
      await server.put('a', '1', { ignore_lease: true }),
      await server.put('a', '1', { ignore_value: true }),
      await server.put('a', '1', { ignore_lease: true, lease: 1 }),
    ],
    expected: [
      invalid('key not found'),
      invalid('key not found'),
      invalid('value is provided'),
      invalid('lease is provided'),
    ],
  },
  {
    name: 'a request without a key is refused',
    run: async (server) => [
      await server.call('KV/Put', { value: Buffer.from('1') }),
      await server.call('KV/Range', {}),
      await server.call('KV/DeleteRange', {}),
    ],
    expected: [
      invalid('key is not provided'),
      invalid('key is not provided'),
      invalid('key is not provided'),
    ],
  },
  {
    name: 'a read of a key that does not exist has an empty answer',
    run: (server) => server.get('nothing'),
    expected: { header: header(0) },
  },
  {
    name: 'a range of a prefix is in byte order, and has only keys with that prefix',
    async run(server) {
      for (const key of ['a/2', 'a/10', 'a0', 'a', 'a/1', 'b']) await server.put(key, key);
      const reply = (await server.range('a/')) as { kvs: { key: string }[] };
      return reply.kvs.map(({ key }) => key);
    },
    expected: ['a/1', 'a/10', 'a/2'],
  },
  {
    name: 'keys may have any bytes, and are in unsigned order',
    async run(server) {
      const keys = [0xff, 0x00, 0x7f, 0x80].map((byte) => Buffer.from([...server.key('b'), byte]));
      for (const key of keys) await server.call('KV/Put', { key, value: key });
      const { reply } = await server.client.call('KV/Range', server.all('b'));
      const kvs = (reply?.['kvs'] ?? []) as { key: Buffer; value: Buffer }[];
      return kvs.map(({ key, value }) => [key.at(-1), value.equals(key)]);
    },
    expected: [0x00, 0x7f, 0x80, 0xff].map((byte) => [byte, true]),
  },
  {
    name: 'a range end of a zero byte means every key from the start on',
    async run(server) {
      await server.put('y', '1');
      await server.put('z', '1');
      const request = { key: server.key('y'), range_end: Buffer.from([0]), limit: 2 };
      const reply = (await server.call('KV/Range', request)) as { kvs: { key: string }[] };
      return reply.kvs.map(({ key }) => key);
    },
    expected: ['y', 'z'],
  },
  {
    name: 'an empty range end that is sent means every key from the start on, if the request writes nothing',
    async run(server) {
      // Keys with this first byte come after those of all other cases, so an open range contains no other
      // key.
      const key = (name: string): Buffer => Buffer.from([0xff, ...server.key(name)]);
      for (const name of ['y', 'z', 'z']) await server.call('KV/Put', { key: key(name) });
      const open = { key: key('y'), range_end: Buffer.alloc(0) };
      const counted = { request_range: { ...open, count_only: true } };
      const compare = { ...open, target: 0, version: 1 };
      return [
        await server.call('KV/Range', { ...open, count_only: true }),
        await server.txn([compare], [counted], [counted]),
        await server.txn([compare], [counted, server.putOp('x')]),
        await server.call('KV/DeleteRange', open),
      ];
    },
    expected: [
      { header: header(3), count: 2 },
      { header: header(3), responses: [{ response_range: { header: header(3), count: 2 } }] },
      {
        header: header(4),
        succeeded: true,
        responses: [
          { response_range: { header: header(3), count: 1 } },
          { response_put: { header: header(4) } },
        ],
      },
      { header: header(5), deleted: 1 },
    ],
  },
  {
    name: 'a range whose end is before its start is empty',
    async run(server) {
      await server.put('a', '1');
      return server.call('KV/Range', { key: server.key('b'), range_end: server.key('a') });
    },
    expected: { header: header(1) },
  },
  {
    name: 'if a limit cuts the answer, `more` is true and `count` counts all keys',
    async run(server) {
      for (const key of ['1', '2', '3']) await server.put(key);
      const two = (await server.range('', { limit: 2 })) as { kvs: unknown[] };
      const three = (await server.range('', { limit: 3 })) as { kvs: unknown[] };
      return [
        { ...two, kvs: two.kvs.length },
        { ...three, kvs: three.kvs.length },
      ];
    },
    expected: [
      { header: header(3), kvs: 2, count: 3, more: true },
      { header: header(3), kvs: 3, count: 3 },
    ],
  },
  {
    name: 'a range may leave out the values, or return only the count',
    async run(server) {
      await server.put('a', '1');
      await server.put('b', '1');
      return [
        await server.range('', { keys_only: true }),
        await server.range('', { count_only: true }),
        await server.range('', { count_only: true, limit: 1 }),
      ];
    },
    expected: [
      { header: header(2), kvs: [kv('a', '', 1, 1, 1), kv('b', '', 2, 2, 1)], count: 2 },
      { header: header(2), count: 2 },
      { header: header(2), count: 2 },
    ],
  },
  {
    name: 'a serializable range has the same answer as a linearizable one',
    async run(server) {
      await server.put('a', '1');
      return server.range('', { serializable: true });
    },
    expected: { header: header(1), kvs: [kv('a', '1', 1, 1, 1)], count: 1 },
  },
  {
    name: 'a range is sorted by the field and in the order of the request',
    async run(server) {
      await server.put('a', '2');
      await server.put('b', '3');
      await server.put('c', '1');
      await server.put('a', '2');
      const order = async (sort_target: number, sort_order: number, more = {}): Promise<string> => {
        const reply = await server.range('', { sort_target, sort_order, ...more });
        return (reply as { kvs: { key: string }[] }).kvs.map(({ key }) => key).join('');
      };
      return [
        await order(0, 1),
        await order(0, 2),
        await order(1, 2, { limit: 1 }),
        await order(2, 2),
        await order(3, 0),
        await order(4, 1),
        await order(4, 2),
      ];
    },
    expected: ['abc', 'cba', 'a', 'cba', 'bca', 'cab', 'bac'],
  },
  {
    name: 'a range has only keys within the requested revisions',
    async run(server) {
      for (const key of ['a', 'b', 'c']) await server.put(key);
      await server.put('a');
      const keys = async (more: object): Promise<unknown> => {
        const reply = (await server.range('', more)) as { kvs: { key: string }[]; count: number };
        return [reply.kvs.map(({ key }) => key).join(''), reply.count];
      };
      return [
        await keys({ min_mod_revision: server.revision(3) }),
        await keys({ max_mod_revision: server.revision(3) }),
        await keys({ min_create_revision: server.revision(2) }),
        await keys({ max_create_revision: server.revision(1) }),
      ];
    },
    expected: [
      ['ac', 3],
      ['bc', 3],
      ['bc', 3],
      ['a', 3],
    ],
  },
  {
    name: 'a deletion returns the number of deleted keys, and their values on request',
    async run(server) {
      await server.put('a', '1');
      await server.put('b', '2');
      return [
        await server.call('KV/DeleteRange', { ...server.all(), prev_kv: true }),
        await server.range(),
      ];
    },
    expected: [
      { header: header(3), deleted: 2, prev_kvs: [kv('a', '1', 1, 1, 1), kv('b', '2', 2, 2, 1)] },
      { header: header(3) },
    ],
  },
  {
    name: 'a deletion that finds no key keeps the revision',
    run: async (server) => [await server.delete('a'), await server.put('b')],
    expected: [{ header: header(0) }, { header: header(1) }],
  },
  {
    name: 'a key that is put after its deletion begins at version 1',
    async run(server) {
      await server.put('a', '1');
      await server.delete('a');
      await server.put('a', '2');
      return server.get('a');
    },
    expected: { header: header(3), kvs: [kv('a', '2', 3, 3, 1)], count: 1 },
  },
  {
    name: 'keys can be read at an earlier revision',
    async run(server) {
      await server.put('a', '1');
      await server.put('a', '2');
      await server.delete('a');
      await server.put('a', '3');
      const at = (n: number): Promise<unknown> => server.get('a', { revision: server.revision(n) });
      return [await at(1), await at(2), await at(3), await at(4), await at(5)];
    },
    expected: [
      { header: header(4), kvs: [kv('a', '1', 1, 1, 1)], count: 1 },
      { header: header(4), kvs: [kv('a', '2', 1, 2, 2)], count: 1 },
      { header: header(4) },
      { header: header(4), kvs: [kv('a', '3', 4, 4, 1)], count: 1 },
      future,
    ],
  },
  {
    name: 'a compaction removes only the history before its revision',
    async run(server) {
      await server.put('a', '1');
      await server.put('a', '2');
      await server.put('b', '1');
      await server.delete('b');
      await server.put('a', '3');
      const at = (n: number): Promise<unknown> =>
        server.range('', { revision: server.revision(n) });
      return [
        await server.compact(3),
        await at(2),
        await at(3),
        await at(4),
        await server.range(),
        await server.compact(3),
        await server.compact(2),
        await server.compact(6),
      ];
    },
    expected: [
      { header: header(5) },
      compacted,
      { header: header(5), kvs: [kv('a', '2', 1, 2, 2), kv('b', '1', 3, 3, 1)], count: 2 },
      { header: header(5), kvs: [kv('a', '2', 1, 2, 2)], count: 1 },
      { header: header(5), kvs: [kv('a', '3', 1, 5, 3)], count: 1 },
      compacted,
      compacted,
      future,
    ],
  },
  {
    name: 'a compaction at the present revision keeps the present keys',
    async run(server) {
      await server.put('a', '1');
      await server.put('b', '1');
      await server.delete('b');
      return [
        await server.compact(3),
        await server.range(),
        await server.put('a', '2', { prev_kv: true }),
      ];
    },
    expected: [
      { header: header(3) },
      { header: header(3), kvs: [kv('a', '1', 1, 1, 1)], count: 1 },
      { header: header(4), prev_kv: kv('a', '1', 1, 1, 1) },
    ],
  },
  {
    name: 'every reply names the same cluster, member and term',
    async run(server) {
      const headers: Record<string, string>[] = [];
      for (const path of ['KV/Range', 'KV/Put', 'KV/DeleteRange']) {
        const { reply } = await server.client.call(path, { key: server.key('a') });
        headers.push(reply?.['header'] as Record<string, string>);
      }
      const { reply } = await server.client.call('Cluster/MemberList', {});
      const [member] = (reply?.['members'] ?? []) as { ID: string; clientURLs: string[] }[];
      const same = (field: string): boolean =>
        new Set(headers.map((header) => header[field])).size === 1 && headers[0]?.[field] !== '0';
      return {
        same: ['cluster_id', 'member_id', 'raft_term'].map(same),
        isMember: member?.ID === headers[0]?.['member_id'],
        url: member?.clientURLs[0] === `http://${server.target.address}`,
        term: headers[0]?.['raft_term'],
      };
    },
    expected: { same: [true, true, true], isMember: true, url: true, term: '2' },
  },
  {
    name: 'the status names a leader and a version, and there is no alarm',
    async run(server) {
      const { reply } = await server.client.call('Maintenance/Status', {});
      const header = reply?.['header'] as Record<string, string>;
      return [
        reply?.['leader'] === header['member_id'],
        /^3\.\d+\.\d+/.test(String(reply?.['version'])),
        (await server.client.call('Maintenance/Alarm', { action: 0 })).reply?.['alarms'],
      ];
    },
    expected: [true, true, []],
  },
  {
    name: 'a request whose bytes are no message is refused',
    async run(server) {
      const refusals: unknown[] = [];
      const bytes = Buffer.from([0x0a, 0xff]);
      for (const path of ['KV/Put', 'KV/Range', 'KV/Txn', 'Lease/LeaseGrant']) {
        const { refusal } = await server.client.callBytes(path, bytes);
        refusals.push(refusal?.code);
      }
      return [refusals, await server.put('a')];
    },
    expected: [['INTERNAL', 'INTERNAL', 'INTERNAL', 'INTERNAL'], { header: header(1) }],
  },
  {
    name: 'a field that the server does not know is ignored',
    async run(server) {
      const { requestSerialize } = methodOf('KV/Put');
      const known = requestSerialize({ key: server.key('a'), value: Buffer.from('1') });
      const unknown = Buffer.from([0xfa, 0x3f, 0x01, 0x00]);
      const outcome = await server.client.callBytes('KV/Put', Buffer.concat([known, unknown]));
      return [server.outcome(outcome), await server.get('a')];
    },
    expected: [
      { header: header(1) },
      { header: header(1), kvs: [kv('a', '1', 1, 1, 1)], count: 1 },
    ],
  },
];

contract('kv', cases);
