/** Leases: how they are granted, kept alive, read, revoked, and how they expire. */
import type { CaseServer } from './case-server.js';
import { type ContractCase, contract } from './contract-case.js';
import { header, leaseNotFound, refused } from './expectations.js';

/** Sends keepalives over one stream and returns the replies. */
async function keepAlive(server: CaseServer, ids: string[]): Promise<unknown[]> {
  const stream = server.stream('Lease/LeaseKeepAlive');
  const replies: unknown[] = [];
  for (const ID of ids) {
    stream.send({ ID });
    replies.push(await stream.next());
  }
  return replies;
}

const cases: ContractCase[] = [
  {
    name: 'a lease is granted with the requested id, without a new revision',
    run: (server) => server.call('Lease/LeaseGrant', { TTL: 60, ID: server.leaseId() }),
    expected: { header: header(0), ID: 'lease 1', TTL: 60 },
  },
  {
    name: 'each lease that is requested without an id gets an own id above 0',
    async run(server) {
      const ids: bigint[] = [];
      for (let i = 0; i < 3; i++) {
        const { reply } = await server.client.call('Lease/LeaseGrant', { TTL: 60 });
        ids.push(BigInt(String(reply?.['ID'])));
      }
      return [ids.every((id) => id > 0n), new Set(ids).size];
    },
    expected: [true, 3],
  },
  {
    name: 'a time to live below 2 seconds is granted as 2 seconds',
    async run(server) {
      const granted: unknown[] = [];
      for (const TTL of [-5, 0, 1, 2, 3]) {
        const { reply } = await server.client.call('Lease/LeaseGrant', { TTL });
        granted.push(Number(reply?.['TTL']));
      }
      return granted;
    },
    expected: [2, 2, 2, 2, 3],
  },
  {
    name: 'the longest time to live is 9,000,000,000 seconds',
    run: async (server) => [
      await server.call('Lease/LeaseGrant', { TTL: 9_000_000_001, ID: server.leaseId() }),
      await server.call('Lease/LeaseGrant', { TTL: 9_000_000_000, ID: server.leaseId() }),
    ],
    expected: [
      refused('OUT_OF_RANGE', 'too large lease TTL'),
      { header: header(0), ID: 'lease 2', TTL: 9_000_000_000 },
    ],
  },
  {
    name: 'a lease with an id that is in use is refused',
    async run(server) {
      const ID = await server.lease();
      return server.call('Lease/LeaseGrant', { TTL: 60, ID });
    },
    expected: refused('FAILED_PRECONDITION', 'lease already exists'),
  },
  {
    name: 'lease ids of 63 bits keep their last digit',
    async run(server) {
      const ID = '9223372036854775807';
      const { reply } = await server.client.call('Lease/LeaseGrant', { TTL: 60, ID });
      await server.put('a', '1', { lease: ID });
      const range = await server.client.call('KV/Range', { key: server.key('a') });
      const [kv] = (range.reply?.['kvs'] ?? []) as { lease: string }[];
      await server.call('Lease/LeaseRevoke', { ID });
      return [reply?.['ID'], kv?.lease];
    },
    expected: ['9223372036854775807', '9223372036854775807'],
  },
  {
    name: 'a put under a lease that does not exist is refused',
    run: async (server) => [await server.put('a', '1', { lease: 4711 }), await server.get('a')],
    expected: [leaseNotFound, { header: header(0) }],
  },
  {
    name: 'a revoked lease deletes its keys, all at one revision',
    async run(server) {
      const lease = await server.lease();
      await server.put('b', '1', { lease });
      await server.put('a', '1', { lease });
      await server.put('c', '1');
      const watch = await server.watch({ ...server.all(), prev_kv: true });
      return [
        await server.call('Lease/LeaseRevoke', { ID: lease }),
        await watch.events(2),
        await server.range('', { count_only: true }),
        await server.call('Lease/LeaseRevoke', { ID: lease }),
      ];
    },
    expected: [
      { header: header(4) },
      ['+4 delete a was 1 at +2', '+4 delete b was 1 at +1'],
      { header: header(4), count: 1 },
      leaseNotFound,
    ],
  },
  {
    name: 'a revoked lease without keys keeps the revision',
    async run(server) {
      const ID = await server.lease();
      return server.call('Lease/LeaseRevoke', { ID });
    },
    expected: { header: header(0) },
  },
  {
    name: 'a key that was put under another lease outlives its first lease',
    async run(server) {
      const [first, second] = [await server.lease(), await server.lease()];
      await server.put('a', '1', { lease: first });
      await server.put('a', '2', { lease: second });
      await server.call('Lease/LeaseRevoke', { ID: first });
      const reply = (await server.get('a')) as { kvs: { value: string; lease: string }[] };
      return reply.kvs.map(({ value, lease }) => [value, lease]);
    },
    expected: [['2', 'lease 2']],
  },
  {
    name: 'a key that was deleted and put again has no lease',
    async run(server) {
      const lease = await server.lease();
      await server.put('a', '1', { lease });
      await server.delete('a');
      await server.put('a', '2');
      await server.call('Lease/LeaseRevoke', { ID: lease });
      return (await server.get('a')) as object;
    },
    expected: {
      header: header(3),
      kvs: [{ key: 'a', value: '2', create_revision: '+3', mod_revision: '+3', version: 1 }],
      count: 1,
    },
  },
  {
    name: 'the answer to a keepalive is the granted time, or 0 for a lease that does not exist',
    run: async (server) => keepAlive(server, [await server.lease(60), '4711']),
    expected: [
      { header: header(0), ID: 'lease 1', TTL: 60 },
      { header: header(0), ID: 4711 },
    ],
  },
  {
    name: 'a keepalive stream answers in order and ends when the client ends it',
    async run(server) {
      const ids = [await server.lease(10), await server.lease(20), await server.lease(30)];
      const stream = server.stream('Lease/LeaseKeepAlive');
      for (const ID of [...ids, ...ids]) stream.send({ ID });
      const replies: unknown[] = [];
      for (let i = 0; i < 6; i++) replies.push(((await stream.next()) as { TTL: number }).TTL);
      stream.raw.end();
      return [replies, (await stream.raw.ended()).code];
    },
    expected: [[10, 20, 30, 10, 20, 30], 'OK'],
  },
  {
    name: 'LeaseTimeToLive returns the time and the keys of a lease; the time is −1 if the lease does not exist',
    async run(server) {
      const ID = await server.lease(60);
      await server.put('a', '1', { lease: ID });
      await server.put('b', '1', { lease: ID });
      const ask = async (keys: boolean): Promise<object> => {
        const { reply } = await server.client.call('Lease/LeaseTimeToLive', { ID, keys });
        const names = ((reply?.['keys'] ?? []) as Buffer[])
          .map((key) => server.comparable(key))
          .sort();
        const left = Number(reply?.['TTL']);
        return { left: left === 59 || left === 60, granted: Number(reply?.['grantedTTL']), names };
      };
      return [
        await ask(true),
        await ask(false),
        await server.call('Lease/LeaseTimeToLive', { ID: 4711, keys: true }),
      ];
    },
    expected: [
      { left: true, granted: 60, names: ['a', 'b'] },
      { left: true, granted: 60, names: [] },
      { header: header(2), ID: 4711, TTL: -1 },
    ],
  },
  {
    name: 'the list of leases has only leases that live',
    async run(server) {
      const [first, second] = [await server.lease(), await server.lease()];
      await server.call('Lease/LeaseRevoke', { ID: first });
      const { reply } = await server.client.call('Lease/LeaseLeases', {});
      const ids = ((reply?.['leases'] ?? []) as { ID: string }[]).map(({ ID }) => ID);
      return [ids.includes(String(first)), ids.includes(String(second))];
    },
    expected: [false, true],
  },
  {
    name: 'a lease that is not kept alive ends and deletes its keys; a lease that is kept alive stays',
    async run(server) {
      const [lost, kept] = [await server.lease(2), await server.lease(2)];
      await server.put('lost', '1', { lease: lost });
      await server.put('kept', '1', { lease: kept });
      const watch = await server.watch({ ...server.all(), prev_kv: true });
      const stream = server.stream('Lease/LeaseKeepAlive');
      const renewal = setInterval(() => stream.send({ ID: kept }), 500);
      try {
        const events = await watch.events(1);
        return [
          events,
          await server.range('', { keys_only: true }),
          await server.call('Lease/LeaseTimeToLive', { ID: lost }),
          await server.put('x', '', { lease: lost }),
          (await keepAlive(server, [lost]))[0],
        ];
      } finally {
        clearInterval(renewal);
      }
    },
    expected: [
      ['+3 delete lost was 1 at +1'],
      {
        header: header(3),
        kvs: [
          {
            key: 'kept',
            create_revision: '+2',
            mod_revision: '+2',
            version: 1,
            lease: 'lease 2',
          },
        ],
        count: 1,
      },
      { header: header(3), ID: 'lease 1', TTL: -1 },
      leaseNotFound,
      { header: header(3), ID: 'lease 1' },
    ],
  },
];

contract('lease', cases);
