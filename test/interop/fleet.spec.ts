/** One fleet of Go and Nest services: registration, discovery and calls in every combination. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { compileApps } from '../support/child-app.js';
import { EtcdProcess } from '../support/etcd-process.js';
import { stopEventProcesses } from '../support/event-process.js';
import { describeInterop } from './describe-interop.js';
import {
  answersOfNext,
  callThrough,
  finalTally,
  rawRecords,
  type Side,
  sides,
  startClient,
  startServer,
  type Tally,
} from './fleet.js';
import { buildGoProgram } from './go-program.js';

describeInterop('one fleet of Go and Nest', (binary) => {
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

  /** Starts servers by name; a name begins with `n` for Nest or `g` for Go. */
  const startAll = (service: string, ids: readonly string[]) =>
    Promise.all(ids.map((id) => startServer(sideOf(id), url, service, { id })));

  it.each([
    ['Go', 'go', 'three Nest servers', ['n1', 'n2', 'n3']],
    ['Nest', 'nest', 'three Go servers', ['g1', 'g2', 'g3']],
    ['Nest', 'nest', 'three Nest servers', ['n1', 'n2', 'n3']],
  ] as const)('a %s client (%s) spreads 300 calls evenly over %s', async (_, side, what, ids) => {
    const service = what.replaceAll(' ', '-');
    await startAll(service, ids);
    expectEven(await callThrough(side, url, service, { calls: 300, warm: 3 }), ids, 300);
  });

  it.each([
    [
      'that the library limits by default: the stream goes on',
      { channelOptions: { 'grpc.keepalive_time_ms': 200 } },
      0,
    ],
    [
      'that the option keepalive sets: the server ends the stream',
      { keepalive: { keepaliveTimeMs: 200 } },
      1,
    ],
  ])(
    'a silent stream from a Go server to a client with pings %s',
    async (_, clientOptions, failed) => {
      const service = `silent-${failed}`;
      await startServer('go', url, service, { id: 'g1' });
      const stream = { method: 'watch', holdMs: 3_000, clientOptions } as const;
      const tally = await callThrough('nest', url, service, stream);
      expect(tally).toMatchObject({ calls: 1, failed });
    },
  );

  it('calls that a Go server never answers end at their deadlines, and the server does not end the connection because of too many pings', async () => {
    await startServer('go', url, 'hanging', { id: 'g1' });
    const clientOptions = { channelOptions: { 'grpc.keepalive_time_ms': 200 } };
    const hanging = { calls: 6, holdMs: 60_000, timeoutMs: 700, clientOptions } as const;
    const tally = await callThrough('nest', url, 'hanging', hanging);
    // The server may be the first to report that the deadline has passed.
    expect(tally.failed).toBe(6);
    expect(Object.keys(tally.byCode)).not.toContain('UNAVAILABLE');
  });

  it('two Go and two Nest servers serve as one service for both kinds of client', async () => {
    const ids = ['g1', 'g2', 'n1', 'n2'];
    await startAll('mixed', ids);
    const tallies = await Promise.all(
      sides.map((side) => callThrough(side, url, 'mixed', { calls: 400, warm: 4, concurrency: 4 })),
    );
    for (const tally of tallies) expectEven(tally, ids, 400);
  });

  it('both kinds of client follow servers of both kinds that leave and join, without a failed call', async () => {
    const servers = new Map<string, Awaited<ReturnType<typeof startServer>>>();
    const join = async (id: string) =>
      servers.set(id, await startServer(sideOf(id), url, 'rolling', { id }));
    await Promise.all(['g1', 'n1'].map(join));
    const clients = await Promise.all(
      sides.map((side) => startClient(side, url, 'rolling', { forever: true, warm: 2 })),
    );
    await Promise.all(clients.map((client) => client.waitForEvent('warm')));

    const seen = async (...ids: string[]) => {
      for (const client of clients) {
        let answers: string[];
        do answers = await answersOfNext(client, 20);
        while (answers.join() !== ids.join());
      }
    };
    await seen('g1', 'n1');
    await Promise.all(['g2', 'n2'].map(join));
    await seen('g1', 'g2', 'n1', 'n2');
    await servers.get('n1')?.stop();
    await seen('g1', 'g2', 'n2');
    await servers.get('g1')?.stop();
    await seen('g2', 'n2');

    for (const client of clients) {
      client.kill('SIGTERM');
      expect(await finalTally(client)).toMatchObject({ failed: 0, byCode: {} });
    }
  });

  it('a service with a nested name is found by both kinds of client', async () => {
    const ids = ['g1', 'n1'];
    await startAll('a/b/c', ids);
    const records = await rawRecords(url, 'a/b/c');
    expect(records.map(({ key }) => key.replace(/\d+$/, 'PORT'))).toEqual([
      'a/b/c/127.0.0.1:PORT',
      'a/b/c/127.0.0.1:PORT',
    ]);
    for (const side of sides) {
      expectEven(await callThrough(side, url, 'a/b/c', { calls: 40, warm: 2 }), ids, 40);
    }
  });

  it('clients of api never get servers of api2, nor the other way round', async () => {
    await Promise.all([startAll('api', ['g1', 'n1']), startAll('api2', ['g2', 'n2'])]);
    for (const side of sides) {
      expectEven(await callThrough(side, url, 'api', { calls: 40, warm: 2 }), ['g1', 'n1'], 40);
      expectEven(await callThrough(side, url, 'api2', { calls: 40, warm: 2 }), ['g2', 'n2'], 40);
    }
  });
});

function sideOf(id: string): Side {
  return id.startsWith('n') ? 'nest' : 'go';
}

/**
 * Expects that every call was answered by one of these servers, and that their shares differ by at most one
 * call.
 */
function expectEven(tally: Tally, ids: readonly string[], calls: number): void {
  expect(tally).toMatchObject({ calls, failed: 0, byCode: {} });
  expect(Object.keys(tally.byServer).sort()).toEqual([...ids].sort());
  const share = calls / ids.length;
  for (const count of Object.values(tally.byServer)) {
    expect(Math.abs(count - share), JSON.stringify(tally.byServer)).toBeLessThanOrEqual(1);
  }
}
