/**
 * The records themselves: Go reads what Nest writes, byte for byte as Go would write it, and the other way
 * round.
 */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Etcd3 } from 'etcd3';
import { decodeEndpoint } from '../../lib/core/records/endpoint-codec.js';
import { compileApps } from '../support/child-app.js';
import { EtcdProcess } from '../support/etcd-process.js';
import { type EventProcess, stopEventProcesses } from '../support/event-process.js';
import { seededRandom } from '../support/seeded-random.js';
import { describeInteropOnEach } from './describe-interop.js';
import { answersOfNext, finalTally, rawRecords, startClient, startServer } from './fleet.js';
import { buildGoProgram, runGo, startGo } from './go-program.js';

/** One update as `interop watch` prints it. */
interface GoUpdate {
  readonly op: 'add' | 'delete';
  readonly key: string;
  readonly addr: string;
  readonly metadata: unknown;
}

describeInteropOnEach('records', (binary) => {
  let etcd: EtcdProcess;
  let url: string;

  beforeAll(async () => {
    await Promise.all([buildGoProgram(), compileApps()]);
    etcd = await EtcdProcess.start({ binary });
    url = etcd.hosts[0] ?? '';
  }, 300_000);

  afterEach(stopEventProcesses);

  afterAll(async () => {
    await etcd?.stop();
  });

  it('Go lists a Nest server, and the record has the bytes that Go writes, except for the fields that this library adds', async () => {
    const metadata = { '9': 'nine', '10': 'ten', team: 'a<b>&"c"', 团队: '张三\u2028' };
    await startServer('nest', url, 'listed', {
      id: 'n1',
      serviceOptions: { weight: 5, zone: 'eu-1', version: '2.0.1', metadata },
    });

    const [record, ...others] = await rawRecords(url, 'listed');
    expect(others).toEqual([]);
    const address = record?.key.slice('listed/'.length) ?? '';
    expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d+$/);
    expect(record?.lease).not.toBe('0');

    const list = await runGo('list', url, 'listed');
    expect(list['endpoints']).toEqual({
      [`listed/${address}`]: { Addr: address, Metadata: metadata },
    });

    await runGo('put', url, 'twin', { addr: address, metadata: JSON.stringify(metadata) });
    const [twin] = await rawRecords(url, 'twin');
    const added = '"Discovery":{"weight":5,"version":"2.0.1","zone":"eu-1"}';
    expect(record?.value).toBe(`${twin?.value.slice(0, -1)},${added}}`);
  });

  it('a Nest server without metadata writes what a Go server writes', async () => {
    await startServer('nest', url, 'plain', { id: 'n1' });
    const [record] = await rawRecords(url, 'plain');
    const address = record?.key.slice('plain/'.length);
    expect(record?.value).toBe(`{"Op":0,"Addr":"${address}","Metadata":null}`);
  });

  it('a Go watch reports Nest servers that register, leave in order and die', async () => {
    const watch = await startGo('watch', url, 'watched');
    await watch.waitForEvent('watching');
    const orderly = await startServer('nest', url, 'watched', {
      id: 'n1',
      serviceOptions: { weight: 2, zone: 'eu-1' },
    });
    const added = await update(watch, ({ op }) => op === 'add');
    expect(added.metadata).toBeNull();
    expect(added.key).toBe(`watched/${added.addr}`);
    await orderly.stop();
    await update(watch, ({ op, key }) => op === 'delete' && key === added.key);

    const killed = await startServer('nest', url, 'watched', { id: 'n2', ttlSeconds: 2 });
    const second = await update(watch, ({ op, key }) => op === 'add' && key !== added.key);
    killed.kill('SIGKILL');
    await update(watch, ({ op, key }) => op === 'delete' && key === second.key);

    // A healthy record is written once; a server that leaves in order first rewrites its record as an
    // announcement.
    const [, leaving] = updates(watch);
    expect(leaving).toEqual(added);
    expect(updates(watch).map(({ op }) => op)).toEqual(['add', 'add', 'delete', 'add', 'delete']);
  });

  it('a Nest client follows what Go puts and deletes', async () => {
    const addresses = await Promise.all(
      ['g1', 'g2'].map(async (id) => {
        const server = await startServer('go', url, 'elsewhere', { id });
        return String((await server.waitForEvent('listening'))['addr']);
      }),
    );
    const [first = '', second = ''] = addresses;
    await runGo('put', url, 'followed', { addr: first, metadata: '{"weight":10,"zone":"eu-1"}' });
    const client = await startClient('nest', url, 'followed', { forever: true, warm: 1 });
    await client.waitForEvent('warm');
    expect(await answersOfNext(client, 20)).toEqual(['g1']);

    // The end of the key is free text: Go does not parse it, and this library must not parse it either.
    await runGo('put', url, 'followed', { key: 'followed/second of two', addr: second });
    await untilAnswers(client, ['g1', 'g2']);
    await runGo('delete', url, 'followed', { key: `followed/${first}` });
    await untilAnswers(client, ['g2']);

    client.kill('SIGTERM');
    expect(await finalTally(client)).toMatchObject({ failed: 0, byCode: {} });
  });

  it('this library reads 600 odd values as Go does, and leaves out what Go leaves out', async () => {
    const random = seededRandom(710);
    const base = Buffer.from(
      '{"Op":0,"Addr":"h:1","Metadata":{"a":["€😀",1e30,"x"],"b":{"c":null}}}',
    );
    const pieces = [
      '\\ud800',
      '\\udc00',
      '\\ud83d\\ude00',
      '\\\\',
      '1e400',
      '"a":1e400,',
      'null',
      '"',
      '\u2028',
    ];
    const values = Array.from({ length: 600 }, () => {
      let value = base;
      for (let times = 0; times <= Math.floor(random() * 3); times++) {
        const at = Math.floor(random() * value.length);
        const draw = random();
        const piece = Buffer.from(pieces[Math.floor(random() * pieces.length)] ?? '');
        const odd = Buffer.from([Math.floor(random() * 256)]);
        const removed = draw < 0.6 ? Math.floor(random() * 3) : 0;
        const added = draw < 0.3 ? Buffer.alloc(0) : draw < 0.6 ? odd : piece;
        value = Buffer.concat([value.subarray(0, at), added, value.subarray(at + removed)]);
      }
      return value;
    });
    const writer = new Etcd3({ hosts: url });
    for (let start = 0; start < values.length; start += 100) {
      const batch = values.slice(start, start + 100);
      const puts = batch.map((value, index) => writer.put(`odd/${start + index}`).value(value));
      await Promise.all(puts.map((put) => put.exec()));
    }
    writer.close();
    const list = (await runGo('list', url, 'odd'))['endpoints'];
    const ours = values.flatMap((value, index) => {
      const read = decodeEndpoint(value);
      if (!read.ok) return [];
      const { address, metadata } = read.endpoint;
      return [[`odd/${index}`, { Addr: address, Metadata: metadata }]];
    });
    expect(Object.fromEntries(ours)).toEqual(list);
    // Both cases, read and left out, occurred often enough.
    expect(ours.length).toBeGreaterThan(100);
    expect(values.length - ours.length).toBeGreaterThan(100);
  });

  it('a Nest client follows a record to which Go gives another address', async () => {
    const addresses = await Promise.all(
      ['g1', 'g2'].map(async (id) => {
        const server = await startServer('go', url, 'homes', { id });
        return String((await server.waitForEvent('listening'))['addr']);
      }),
    );
    const key = 'moving/endpoint';
    await runGo('put', url, 'moving', { key, addr: addresses[0] ?? '' });
    const client = await startClient('nest', url, 'moving', { forever: true, warm: 1 });
    await client.waitForEvent('warm');
    expect(await answersOfNext(client, 20)).toEqual(['g1']);
    await runGo('put', url, 'moving', { key, addr: addresses[1] ?? '' });
    await untilAnswers(client, ['g2']);
    client.kill('SIGTERM');
    expect(await finalTally(client)).toMatchObject({ failed: 0, byCode: {} });
  });
});

function updates(watch: EventProcess): GoUpdate[] {
  return watch.events.flatMap((event) => (event['updates'] ?? []) as GoUpdate[]);
}

/** The first matching update of a Go watch, including updates that have already come. */
async function update(
  watch: EventProcess,
  condition: (update: GoUpdate) => boolean,
): Promise<GoUpdate> {
  const has = (list: unknown): GoUpdate | undefined =>
    ((list ?? []) as GoUpdate[]).find((each) => condition(each));
  const event = await watch.waitForEvent((each) => has(each['updates']) !== undefined);
  const found = has(event['updates']);
  if (found === undefined) throw new Error('the event has no such update');
  return found;
}

/** Waits until exactly these servers answer the calls of a client. */
async function untilAnswers(client: EventProcess, servers: readonly string[]): Promise<void> {
  let answers: string[];
  do answers = await answersOfNext(client, 20);
  while (answers.join() !== servers.join());
}
