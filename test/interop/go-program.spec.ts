/** The Go program against itself: it is the reference for the other suites in this folder. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { EtcdProcess } from '../support/etcd-process.js';
import { stopEventProcesses } from '../support/event-process.js';
import { describeInterop } from './describe-interop.js';
import { buildGoProgram, runGo, startGo } from './go-program.js';

describeInterop('the Go program', (binary) => {
  let etcd: EtcdProcess;
  let url: string;

  beforeAll(async () => {
    await buildGoProgram();
    etcd = await EtcdProcess.start({ binary });
    url = etcd.hosts[0] ?? '';
  }, 300_000);

  afterEach(stopEventProcesses);

  afterAll(async () => {
    await etcd?.stop();
  });

  it('the Go program registers servers, calls them in turn and unregisters them', async () => {
    const servers = await Promise.all(
      ['g1', 'g2'].map((id) => startGo('server', url, 'go', { id })),
    );
    const keys = await Promise.all(
      servers.map(async (server) => (await server.waitForEvent('registered'))['key']),
    );
    const list = await runGo('list', url, 'go');
    expect(Object.keys(list['endpoints'] as object).sort()).toEqual([...keys].sort());

    const done = await runGo('client', url, 'go', { calls: 100, warm: 2 });
    expect(done).toMatchObject({ calls: 100, failed: 0, byServer: { g1: 50, g2: 50 } });

    for (const server of servers) {
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      expect(server.events.map(({ event }) => event)).toEqual([
        'listening',
        'registered',
        'unregistered',
        'stopped',
      ]);
    }
    expect((await runGo('list', url, 'go'))['endpoints']).toEqual({});
  });

  it('the Go client calls until it is stopped, and prints ticks that tests can wait for', async () => {
    await (await startGo('server', url, 'ticking', { id: 'only' })).waitForEvent('registered');
    const client = await startGo('client', url, 'ticking', { forever: true });
    await client.waitForEvent(({ event, calls }) => event === 'tick' && Number(calls) > 20);
    expect(await client.stop()).toEqual({ code: 0, signal: null });
    const done = client.events.at(-1);
    expect(done).toMatchObject({ event: 'done', failed: 0, byServer: { only: done?.['calls'] } });
  });

  it('the Go watch reports what the Go program puts and deletes', async () => {
    const watch = await startGo('watch', url, 'a/b/c');
    await watch.waitForEvent('watching');
    const put = await runGo('put', url, 'a/b/c', {
      addr: '127.0.0.1:1',
      metadata: '{"weight":3}',
    });
    await runGo('delete', url, 'a/b/c', { key: String(put['key']) });
    const key = 'a/b/c/127.0.0.1:1';
    await watch.waitForEvent('updates');
    await watch.waitForEvent(({ updates }) => JSON.stringify(updates)?.includes('"delete"'));
    expect(watch.events.flatMap(({ updates }) => updates ?? [])).toEqual([
      { op: 'add', key, addr: '127.0.0.1:1', metadata: { weight: 3 } },
      { op: 'delete', key, addr: '', metadata: null },
    ]);
  });

  it('the Go program ends by itself when its standard input closes', async () => {
    const server = await startGo('server', url, 'orphan', { id: 'orphan' });
    await server.waitForEvent('registered');
    server.closeInput();
    expect(await server.exit).toEqual({ code: 0, signal: null });
  });
});
