/** Server and client in their own processes: signals, `kill -9`, and a process that ends by itself. */
import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { compileApps, startApp } from '../support/child-app.js';
import { stopEventProcesses } from '../support/event-process.js';
import { startTestEtcd, type TestEtcd } from '../support/test-etcd.js';

let etcd: TestEtcd;
let reader: Etcd3;
beforeAll(async () => {
  await compileApps();
  etcd = await startTestEtcd();
  reader = new Etcd3({ hosts: etcd.hosts });
});
afterAll(async () => {
  reader.close();
  await etcd.stop();
});
afterEach(stopEventProcesses);

const keys = (service: string) => reader.getAll().prefix(`${service}/`).keys();
const server = (service: string, env: Record<string, string> = {}) =>
  startApp(
    'api-server',
    { ETCD_HOSTS: etcd.hosts.join(','), SERVICE: service, ...env },
    { isBundled: false },
  );

it.each(['SIGTERM', 'SIGINT'] as const)(
  '%s removes the record and ends the process',
  async (signal) => {
    const app = await server(signal);
    await app.waitForEvent('listening');
    expect(await keys(signal)).toHaveLength(1);
    app.kill(signal);
    // Nest sends the signal again after its hooks: the process ends by the signal.
    expect(await app.exit).toEqual({ code: null, signal });
    expect(await keys(signal)).toEqual([]);
    const { leases } = await reader.leaseClient.leaseLeases();
    expect(leases).toEqual([]);
  },
);

it('after app.close() nothing keeps a server process alive', async () => {
  const app = await server('closing');
  await app.waitForEvent('listening');
  app.kill('SIGUSR2');
  expect(await app.exit).toEqual({ code: 0, signal: null });
  expect(await keys('closing')).toEqual([]);
});

it('after app.close() nothing keeps a client process alive', async () => {
  const app = await server('called');
  await app.waitForEvent('listening');
  const client = await startApp('api-client', {
    ETCD_HOSTS: etcd.hosts.join(','),
    SERVICE: 'called',
    CALLS: '5',
  });
  expect(await client.waitForEvent('done')).toMatchObject({ calls: 5, failed: 0 });
  expect(await client.exit).toEqual({ code: 0, signal: null });
});

it('a record outlives kill -9 by no more than its time to live', async () => {
  const app = await server('killed', { TTL_SECONDS: '2' });
  await app.waitForEvent('listening');
  const watcher = await reader.watch().prefix('killed/').create();
  const gone = new Promise((resolve) => watcher.once('delete', resolve));
  app.kill('SIGKILL');
  await app.exit;
  await gone;
  await watcher.cancel();
  expect(await keys('killed')).toEqual([]);
});

it('an etcd that is away does not delay the exit', async () => {
  const own = await startTestEtcd();
  const app = await startApp('api-server', { ETCD_HOSTS: own.hosts.join(','), SERVICE: 'away' });
  await app.waitForEvent('listening');
  await own.stop();
  app.kill('SIGTERM');
  expect(await app.exit).toEqual({ code: null, signal: 'SIGTERM' });
});
