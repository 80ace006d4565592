/** Go's own naming package on the embedded server, in the program of the interoperability tests. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedEtcd } from '../../lib/testing/index.js';
import { buildGoProgram, goAvailable, runGo, startGo } from '../interop/go-program.js';
import { stopEventProcesses } from '../support/event-process.js';

const hasGo = goAvailable();

it.skipIf(hasGo)('no Go is installed, so the embedded server is not tested with Go', () => {
  expect(process.env['REQUIRE_GO'], 'REQUIRE_GO=1 asks for one').not.toBe('1');
});

describe.runIf(hasGo)("Go's clientv3 naming on the embedded server", () => {
  let etcd: EmbeddedEtcd;
  let url: string;

  beforeAll(async () => {
    await buildGoProgram();
    etcd = await EmbeddedEtcd.start();
    url = etcd.hosts[0] ?? '';
  }, 300_000);

  afterEach(stopEventProcesses);

  afterAll(() => etcd?.stop());

  it('registers servers, lists them, calls them in turn and unregisters them', async () => {
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
    for (const server of servers) expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect((await runGo('list', url, 'go'))['endpoints']).toEqual({});
  });

  it('keeps resolving the service after its connections were dropped', async () => {
    await (await startGo('server', url, 'dropped', { id: 'only' })).waitForEvent('registered');
    const client = await startGo('client', url, 'dropped', { forever: true });
    await client.waitForEvent(({ event, calls }) => event === 'tick' && Number(calls) > 20);
    etcd.faults.dropConnections();
    const from = client.events.length;
    await (await startGo('server', url, 'dropped', { id: 'late' })).waitForEvent('registered');
    await client.waitForEvent(
      ({ event, byServer }) =>
        event === 'tick' && Number((byServer as Record<string, number> | undefined)?.['late']) > 0,
      { from },
    );
    expect(await client.stop()).toEqual({ code: 0, signal: null });
    expect(client.events.at(-1)).toMatchObject({ event: 'done', failed: 0 });
  });
});
