/**
 * Watches: what comes, from when, in which order; filters, previous values, progress, cancellation,
 * compaction, fragments.
 */
import type { CaseServer } from './case-server.js';
import { type ContractCase, contract } from './contract-case.js';
import { header } from './expectations.js';

/** Makes three changes of key a and one of key b, before the case watches. */
async function history(server: CaseServer): Promise<void> {
  await server.put('a', '1');
  await server.put('a', '2');
  await server.put('b', '1');
  await server.delete('a');
}

const cases: ContractCase[] = [
  {
    name: 'a watch is confirmed with the revision, then gets each change in order',
    async run(server) {
      await server.put('a', '0');
      const stream = server.stream('Watch/Watch');
      stream.send({ create_request: server.all() });
      const created = await stream.next();
      await server.put('a', '1');
      await server.delete('a');
      return [created, await stream.next(), await stream.next()];
    },
    expected: [
      { header: header(1), created: true },
      {
        header: header(2),
        events: [
          {
            kv: {
              key: 'a',
              value: '1',
              create_revision: '+1',
              mod_revision: '+2',
              version: 2,
            },
          },
        ],
      },
      { header: header(3), events: [{ type: 1, kv: { key: 'a', mod_revision: '+3' } }] },
    ],
  },
  {
    name: 'a watch of one key does not see other keys',
    async run(server) {
      const watch = await server.watch({ key: server.key('a') });
      for (const key of ['a', 'a/1', 'aa', 'b', 'a']) await server.put(key);
      return watch.events(2);
    },
    expected: ['+1 put a=', '+5 put a='],
  },
  {
    name: 'a watch of a prefix sees only keys with that prefix',
    async run(server) {
      const watch = await server.watch(server.all('api/'));
      for (const key of ['api', 'api/1', 'api2/1', 'api/2']) await server.put(key);
      return watch.events(2);
    },
    expected: ['+2 put api/1=', '+4 put api/2='],
  },
  {
    name: 'a watch with an open end sees every key from its start on',
    async run(server) {
      const watch = await server.watch({ key: server.key('m'), range_end: Buffer.from([0]) });
      for (const key of ['l', 'm', 'n']) await server.put(key);
      return watch.events(2);
    },
    expected: ['+2 put m=', '+3 put n='],
  },
  {
    name: 'a watch from a revision gets the history from that revision on, then new changes',
    async run(server) {
      await history(server);
      const watch = await server.watch({ ...server.all(), start_revision: server.revision(2) });
      const past = await watch.events(3);
      await server.put('c', '1');
      return [past, await watch.events(1)];
    },
    expected: [['+2 put a=2', '+3 put b=1', '+4 delete a'], ['+5 put c=1']],
  },
  {
    name: 'the history comes in one message, with the present revision',
    async run(server) {
      await history(server);
      const watch = await server.watch({ ...server.all(), start_revision: server.revision(1) });
      const answer = (await watch.next()) as { header: object; events: unknown[] };
      return [answer.header, answer.events.length];
    },
    expected: [header(4), 4],
  },
  {
    name: 'history of more than 1,000 revisions comes complete and in order',
    async run(server) {
      const puts = Array.from({ length: 1_050 }, (_, index) => server.put('k', String(index)));
      await Promise.all(puts);
      const watch = await server.watch({ ...server.all(), start_revision: server.revision(1) });
      const events = await watch.events(1_050);
      return events.every((event, index) => event.startsWith(`+${index + 1} put k=`));
    },
    expected: true,
  },
  {
    name: 'a watch from a future revision waits for that revision',
    async run(server) {
      const watch = await server.watch({ ...server.all(), start_revision: server.revision(3) });
      await history(server);
      return watch.events(2);
    },
    expected: ['+3 put b=1', '+4 delete a'],
  },
  {
    name: 'the writes of one transaction come in one message, in order',
    async run(server) {
      await server.put('x', '1');
      const watch = await server.watch({ ...server.all() });
      await server.txn([], [server.putOp('b', '1'), server.putOp('a', '1'), server.deleteOp('x')]);
      const answer = (await watch.next()) as { events: { kv: { key: string } }[] };
      return answer.events.map(({ kv }) => kv.key);
    },
    expected: ['b', 'a', 'x'],
  },
  {
    name: 'events have previous values on request, but none for a key that did not exist',
    async run(server) {
      const watch = await server.watch({ ...server.all(), prev_kv: true });
      await history(server);
      await server.put('a', '3');
      const past = await server.watch({
        ...server.all(),
        prev_kv: true,
        start_revision: server.revision(2),
      });
      return [await watch.events(5), await past.events(4)];
    },
    expected: [
      [
        '+1 put a=1',
        '+2 put a=2 was 1 at +1',
        '+3 put b=1',
        '+4 delete a was 2 at +2',
        '+5 put a=3',
      ],
      ['+2 put a=2 was 1 at +1', '+3 put b=1', '+4 delete a was 2 at +2', '+5 put a=3'],
    ],
  },
  {
    name: 'filters leave out puts or deletions, also those of the history',
    async run(server) {
      const noPuts = await server.watch({ ...server.all(), filters: [0] });
      const noDeletes = await server.watch({ ...server.all(), filters: [1] });
      await history(server);
      await server.put('c', '1');
      const past = await server.watch({
        ...server.all(),
        filters: [1],
        start_revision: server.revision(2),
      });
      return [await noPuts.events(1), await noDeletes.events(4), await past.events(3)];
    },
    expected: [
      ['+4 delete a'],
      ['+1 put a=1', '+2 put a=2', '+3 put b=1', '+5 put c=1'],
      ['+2 put a=2', '+3 put b=1', '+5 put c=1'],
    ],
  },
  {
    name: 'one stream has many watchers, numbered from 0, each with its own events',
    async run(server) {
      const stream = server.stream('Watch/Watch');
      const ids: unknown[] = [];
      for (const key of ['a', 'b', 'c']) {
        stream.send({ create_request: { key: server.key(key) } });
        ids.push(((await stream.next()) as { watch_id?: number }).watch_id ?? 0);
      }
      await server.put('c', '1');
      await server.put('a', '1');
      const answers = [await stream.next(), await stream.next()] as { watch_id?: number }[];
      return [ids, answers.map(({ watch_id }) => watch_id ?? 0)];
    },
    expected: [
      [0, 1, 2],
      [2, 0],
    ],
  },
  {
    name: 'a watcher may choose its number; a number that is in use is refused',
    async run(server) {
      const stream = server.stream('Watch/Watch');
      const answers: unknown[] = [];
      for (const watch_id of [7, 7, 0]) {
        stream.send({ create_request: { ...server.all(), watch_id } });
        answers.push(await stream.next());
      }
      return answers;
    },
    expected: [
      { header: header(0), watch_id: 7, created: true },
      {
        header: header(0),
        watch_id: -1,
        created: true,
        canceled: true,
        cancel_reason: 'mvcc: duplicate watch ID provided on the WatchStream',
      },
      { header: header(0), created: true },
    ],
  },
  {
    name: 'a watch whose range is empty is refused',
    async run(server) {
      const stream = server.stream('Watch/Watch');
      const create_request = { key: server.key('b'), range_end: server.key('a') };
      stream.send({ create_request });
      return stream.next();
    },
    expected: {
      header: header(0),
      watch_id: -1,
      created: true,
      canceled: true,
      cancel_reason: 'mvcc: watcher range is empty',
    },
  },
  {
    name: 'a watch from a negative revision is refused',
    async run(server) {
      const stream = server.stream('Watch/Watch');
      stream.send({ create_request: { ...server.all(), start_revision: -1 } });
      return stream.next();
    },
    expected: {
      header: header(0),
      watch_id: -1,
      created: true,
      canceled: true,
      cancel_reason: 'etcdserver: mvcc: required revision has been compacted',
    },
    differs: { 'etcd 3.4': 'confirms the watch' },
  },
  {
    name: 'a canceled watcher is confirmed and gets no event; another watcher of the stream goes on',
    async run(server) {
      const stream = await server.watch(server.all());
      stream.send({ create_request: { key: server.key('b') } });
      await stream.next();
      stream.send({ cancel_request: { watch_id: 0 } });
      const canceled = await stream.next();
      await server.put('a', '1');
      await server.put('b', '1');
      return [canceled, await stream.next()];
    },
    expected: [
      { header: header(0), canceled: true },
      {
        header: header(2),
        watch_id: 1,
        events: [
          {
            kv: { key: 'b', value: '1', create_revision: '+2', mod_revision: '+2', version: 1 },
          },
        ],
      },
    ],
  },
  {
    name: 'the cancellation of a watcher that does not exist has no answer',
    async run(server) {
      const stream = await server.watch(server.all());
      stream.send({ cancel_request: { watch_id: 5 } });
      await server.put('a', '1');
      return stream.events(1);
    },
    expected: ['+1 put a=1'],
  },
  {
    name: 'an empty request on the stream is ignored',
    async run(server) {
      const stream = await server.watch(server.all());
      stream.send({});
      await server.put('a', '1');
      return stream.events(1);
    },
    expected: ['+1 put a=1'],
  },
  {
    name: 'a watch from a compacted revision is confirmed, then canceled with the oldest remaining revision',
    async run(server) {
      await history(server);
      await server.compact(3);
      const stream = server.stream('Watch/Watch');
      const start_revision = server.revision(2);
      stream.send({ create_request: { ...server.all(), start_revision } });
      return [await stream.next(), await stream.next()];
    },
    expected: [
      { header: header(4), created: true },
      { header: {}, canceled: true, compact_revision: '+3' },
    ],
  },
  {
    name: 'a watch from the revision of a compaction gets the change of that revision',
    async run(server) {
      await history(server);
      await server.compact(3);
      const watch = await server.watch({ ...server.all(), start_revision: server.revision(3) });
      return watch.events(2);
    },
    expected: ['+3 put b=1', '+4 delete a'],
  },
  {
    name: 'a watch gets a deletion at the revision of a compaction',
    async run(server) {
      await history(server);
      await server.compact(4);
      const watch = await server.watch({ ...server.all(), start_revision: server.revision(4) });
      await server.put('c', '1');
      return watch.eventsMatching((event) => event === '+5 put c=1');
    },
    expected: ['+4 delete a', '+5 put c=1'],
    differs: { 'etcd 3.4': 'loses the deletion, as etcd did before 3.5.18' },
  },
  {
    name: 'events have no previous values that are compacted',
    async run(server) {
      await history(server);
      await server.compact(2);
      const watch = await server.watch({
        ...server.all(),
        prev_kv: true,
        start_revision: server.revision(2),
      });
      return watch.events(3);
    },
    expected: ['+2 put a=2', '+3 put b=1', '+4 delete a was 2 at +2'],
  },
  {
    name: 'a compaction does not end a watch that is up to date',
    async run(server) {
      const watch = await server.watch(server.all());
      await history(server);
      await watch.events(4);
      await server.compact(4);
      await server.put('c', '1');
      return watch.events(1);
    },
    expected: ['+5 put c=1'],
  },
  {
    name: 'an answer to a progress request has the revision for all watchers of the stream',
    async run(server) {
      const stream = await server.watch(server.all('a'));
      await server.put('b', '1');
      stream.send({ progress_request: {} });
      return stream.next();
    },
    expected: { header: header(1), watch_id: -1 },
  },
  {
    name: 'a watcher with progress_notify gets the progress without a request',
    async run(server) {
      await server.put('b', '1');
      const watch = await server.watch({ ...server.all('a'), progress_notify: true });
      return watch.next();
    },
    expected: { header: header(1) },
  },
  {
    name: 'a message above 2 MiB is split only for a watcher that asked for fragments',
    async run(server) {
      for (const key of ['a', 'b', 'c']) {
        await server.client.call('KV/Put', { key: server.key(key), value: Buffer.alloc(900_000) });
      }
      const start_revision = server.revision(1);
      const whole = await server.watch({ ...server.all(), start_revision });
      const split = await server.watch({ ...server.all(), start_revision, fragment: true });
      const shape = async (watch: typeof whole): Promise<unknown> => {
        const { events, fragment } = (await watch.next()) as {
          events: { kv: { key: string } }[];
          fragment?: boolean;
        };
        return [events.map(({ kv }) => kv.key).join(''), fragment ?? false];
      };
      return [await shape(whole), await shape(split), await shape(split)];
    },
    expected: [
      ['abc', false],
      ['ab', true],
      ['c', false],
    ],
  },
  {
    name: 'a client that has ended its side of the stream still gets events',
    async run(server) {
      const stream = await server.watch(server.all());
      stream.raw.end();
      await server.put('a', '1');
      return stream.events(1);
    },
    expected: ['+1 put a=1'],
  },
  {
    name: 'a watch without a key begins at the zero byte: with an open end it sees every key',
    async run(server) {
      const watch = await server.watch({ range_end: Buffer.from([0]) });
      await server.put('a', '1');
      return watch.events(1);
    },
    expected: ['+1 put a=1'],
  },
];

contract('watch', cases);
