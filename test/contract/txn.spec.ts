/** Transactions: compares, branches, one revision for all writes, and refusals before any operation. */
import type { CaseServer } from './case-server.js';
import { type ContractCase, contract } from './contract-case.js';
import { compacted, future, header, invalid, kv, leaseNotFound } from './expectations.js';

const duplicate = invalid('duplicate key given in txn request');
const tooMany = invalid('too many operations in txn request');

/** Whether each of these compares holds, in a transaction of its own. */
async function hold(server: CaseServer, compares: object[]): Promise<boolean[]> {
  const held: boolean[] = [];
  for (const compare of compares) {
    const reply = (await server.txn([compare], [])) as { succeeded?: boolean };
    held.push(reply.succeeded === true);
  }
  return held;
}

const cases: ContractCase[] = [
  {
    name: 'all writes of a transaction share one revision',
    run: async (server) => [
      await server.txn([], [server.putOp('a', '1'), server.putOp('b', '2'), server.getOp('a')]),
      await server.range(),
    ],
    expected: [
      {
        header: header(1),
        succeeded: true,
        responses: [
          { response_put: { header: header(1) } },
          { response_put: { header: header(1) } },
          { response_range: { header: header(1), kvs: [kv('a', '1', 1, 1, 1)], count: 1 } },
        ],
      },
      { header: header(1), kvs: [kv('a', '1', 1, 1, 1), kv('b', '2', 1, 1, 1)], count: 2 },
    ],
  },
  {
    name: 'the failure branch runs if a compare does not hold',
    async run(server) {
      await server.put('a', '1');
      return [
        await server.txn(
          [server.compare('a', 'value', '=', '1'), server.compare('a', 'version', '=', 2)],
          [server.putOp('a', '2')],
          [server.getOp('a')],
        ),
        await server.get('a'),
      ];
    },
    expected: [
      {
        header: header(1),
        responses: [
          { response_range: { header: header(1), kvs: [kv('a', '1', 1, 1, 1)], count: 1 } },
        ],
      },
      { header: header(1), kvs: [kv('a', '1', 1, 1, 1)], count: 1 },
    ],
  },
  {
    name: 'a transaction without operations succeeds and changes nothing',
    run: (server) => server.txn([], []),
    expected: { header: header(0), succeeded: true },
  },
  {
    name: 'a transaction that only reads keeps the revision',
    run: (server) => server.txn([], [server.getOp('a')]),
    expected: {
      header: header(0),
      succeeded: true,
      responses: [{ response_range: { header: header(0) } }],
    },
  },
  {
    name: 'a transaction whose deletion finds nothing keeps the revision',
    run: (server) => server.txn([], [server.deleteOp('a')]),
    expected: {
      header: header(0),
      succeeded: true,
      responses: [{ response_delete_range: { header: header(0) } }],
    },
  },
  {
    name: 'each operation of a transaction sees the writes of the operations before it',
    async run(server) {
      await server.put('a', '1');
      await server.put('b', '1');
      return server.txn(
        [],
        [
          server.putOp('c', '1'),
          server.deleteOp('a', { prev_kv: true }),
          server.getOp('a'),
          server.putOp('b', '2', { prev_kv: true }),
          { request_range: { ...server.all(), count_only: true } },
        ],
      );
    },
    expected: {
      header: header(3),
      succeeded: true,
      responses: [
        { response_put: { header: header(3) } },
        {
          response_delete_range: {
            header: header(3),
            deleted: 1,
            prev_kvs: [kv('a', '1', 1, 1, 1)],
          },
        },
        { response_range: { header: header(3) } },
        { response_put: { header: header(3), prev_kv: kv('b', '1', 2, 2, 1) } },
        { response_range: { header: header(3), count: 2 } },
      ],
    },
  },
  {
    name: 'compares of version, revisions, value and lease hold exactly if their comparison is true',
    async run(server) {
      const lease = await server.lease();
      await server.put('other');
      await server.put('a', 'm', { lease });
      await server.put('a', 'm', { lease });
      const make = server.compare.bind(server);
      const held = await hold(server, [
        make('a', 'version', '=', 2),
        make('a', 'version', '>', 1),
        make('a', 'version', '<', 2),
        make('a', 'version', '!=', 3),
        make('a', 'create_revision', '=', server.revision(2)),
        make('a', 'mod_revision', '=', server.revision(3)),
        make('a', 'mod_revision', '>', server.revision(3)),
        make('a', 'value', '=', 'm'),
        make('a', 'value', '>', 'l'),
        make('a', 'value', '<', 'l'),
        make('a', 'value', '!=', 'mm'),
        make('a', 'lease', '=', lease),
        make('a', 'lease', '!=', 0),
        make('a', 'lease', '>', 0),
      ]);
      return held.map((holds) => (holds ? 'yes' : 'no')).join(' ');
    },
    expected: 'yes yes no yes yes yes no yes yes no yes yes yes yes',
  },
  {
    name: 'a key that does not exist compares as zeros, and a compare of its value never holds',
    async run(server) {
      const make = server.compare.bind(server);
      return hold(server, [
        make('a', 'version', '=', 0),
        make('a', 'create_revision', '=', 0),
        make('a', 'mod_revision', '<', 1),
        make('a', 'lease', '=', 0),
        make('a', 'value', '=', ''),
        make('a', 'value', '!=', 'x'),
      ]);
    },
    expected: [true, true, true, true, false, false],
  },
  {
    name: 'a compare of a range holds if it holds for every key of the range',
    async run(server) {
      await server.put('r1', 'x');
      await server.put('r2', 'x');
      await server.put('r2', 'x');
      const range = (target: number, more: object): object => ({
        ...server.all('r'),
        target,
        ...more,
      });
      return hold(server, [
        range(3, { value: Buffer.from('x') }),
        range(0, { version: 1 }),
        range(0, { result: 1, version: 0 }),
        { ...server.all('none'), target: 0, version: 0 },
        { ...server.all('none'), target: 3, value: Buffer.from('') },
      ]);
    },
    expected: [true, false, true, true, false],
  },
  {
    name: 'a nested transaction compares with the keys from before the whole transaction',
    async run(server) {
      await server.put('a', '1');
      return server.txn(
        [server.compare('a', 'version', '=', 1)],
        [
          server.putOp('b', '1'),
          server.txnOp(
            [server.compare('b', 'version', '=', 0)],
            [server.putOp('c', 'then')],
            [server.putOp('c', 'else')],
          ),
          server.txnOp(
            [server.compare('a', 'version', '=', 2)],
            [server.getOp('c')],
            [server.deleteOp('a')],
          ),
        ],
      );
    },
    expected: {
      header: header(2),
      succeeded: true,
      responses: [
        { response_put: { header: header(2) } },
        {
          response_txn: {
            header: {},
            succeeded: true,
            responses: [{ response_put: { header: header(2) } }],
          },
        },
        {
          response_txn: {
            header: {},
            responses: [{ response_delete_range: { header: header(2), deleted: 1 } }],
          },
        },
      ],
    },
  },
  {
    name: 'two writes of one key are refused, wherever they are in the transaction',
    run: async (server) => [
      await server.txn([], [server.putOp('a'), server.putOp('a')]),
      await server.txn([], [server.putOp('a'), server.deleteOp('a')]),
      await server.txn([], [server.deleteOp('a'), server.putOp('a')]),
      await server.txn([], [{ request_delete_range: server.all() }, server.putOp('a')]),
      await server.txn([], [], [server.putOp('a'), server.putOp('a')]),
      await server.txn([], [server.putOp('a'), server.txnOp([], [server.putOp('a')])]),
      await server.txn(
        [],
        [server.txnOp([], [server.putOp('a')]), server.txnOp([], [], [server.putOp('a')])],
      ),
      await server.range(),
    ],
    expected: [...Array.from({ length: 7 }, () => duplicate), { header: header(0) }],
  },
  {
    name: 'two deletions of one key, and one key in both branches, are allowed',
    async run(server) {
      await server.put('a');
      const outcomes = [
        await server.txn([], [server.deleteOp('a'), server.deleteOp('a')]),
        await server.txn([], [server.putOp('a')], [server.putOp('a')]),
        await server.txn([], [server.txnOp([], [server.putOp('b')], [server.putOp('b')])]),
      ];
      return outcomes.map((outcome) => (outcome as { succeeded?: boolean }).succeeded);
    },
    expected: [true, true, true],
  },
  {
    name: 'each branch of a transaction has at most 128 operations, nested operations included',
    async run(server) {
      const puts = (count: number, name = 'k'): object[] =>
        Array.from({ length: count }, (_, index) => server.putOp(`${name}${index}`));
      const compares = Array.from({ length: 129 }, () => server.compare('a', 'version', '=', 0));
      const full = (await server.txn([], puts(128))) as { responses: unknown[] };
      return [
        full.responses.length,
        await server.txn([], puts(129)),
        await server.txn([], [], puts(129)),
        await server.txn(compares, []),
        await server.txn([], [...puts(63), server.txnOp([], puts(65, 'n'))]),
        ((await server.txn([], [...puts(63), server.txnOp([], puts(64, 'n'))])) as object) !==
          undefined,
      ];
    },
    expected: [128, tooMany, tooMany, tooMany, tooMany, true],
  },
  {
    name: 'a transaction with an operation without a key, or with an empty operation, is refused',
    run: async (server) => [
      await server.txn([], [{ request_put: {} }]),
      await server.txn([], [{ request_range: {} }]),
      await server.txn([], [{ request_delete_range: {} }]),
      await server.txn([{ target: 0 }], []),
      await server.txn([], [{}]),
      await server.txn([], [{ request_put: { key: server.key('a'), ignore_value: true } }]),
      await server.txn([], [server.putOp('a', 'x', { ignore_value: true })]),
    ],
    expected: [
      invalid('key is not provided'),
      invalid('key is not provided'),
      invalid('key is not provided'),
      invalid('key is not provided'),
      invalid('key not found'),
      invalid('key not found'),
      invalid('value is provided'),
    ],
  },
  {
    name: 'a transaction with one operation that fails changes nothing',
    async run(server) {
      await server.put('a', '1');
      await server.put('a', '2');
      await server.compact(2);
      const read = (revision: number): object => server.getOp('a', { revision });
      return [
        await server.txn([], [server.putOp('b'), server.putOp('c', '', { lease: 999_999 })]),
        await server.txn([], [server.putOp('b'), read(server.revision(1))]),
        await server.txn([], [server.putOp('b'), read(server.revision(3))]),
        await server.get('b'),
      ];
    },
    expected: [leaseNotFound, compacted, future, { header: header(2) }],
  },
  {
    name: 'a transaction can read an earlier revision',
    async run(server) {
      await server.put('a', '1');
      await server.put('a', '2');
      const read = server.getOp('a', { revision: server.revision(1) });
      return server.txn([], [read, server.putOp('b')]);
    },
    expected: {
      header: header(3),
      succeeded: true,
      responses: [
        { response_range: { header: header(2), kvs: [kv('a', '1', 1, 1, 1)], count: 1 } },
        { response_put: { header: header(3) } },
      ],
    },
  },
];

contract('txn', cases);
