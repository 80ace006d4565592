/**
 * Connections to etcd stay open while nothing happens. No event marks that, so this test waits for time to
 * pass.
 */
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EtcdRegistry } from '../../lib/etcd/etcd-registry.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { startTestEtcd, type TestEtcd } from '../support/test-etcd.js';

let etcd: TestEtcd;
let proxy: FaultProxy;
beforeAll(async () => {
  etcd = await startTestEtcd();
  proxy = await FaultProxy.start({ targetPort: Number(new URL(etcd.hosts[0] ?? '').port) });
});
afterAll(async () => {
  await proxy?.stop();
  await etcd?.stop();
});

it('keepalives of a lease and the end of a watch do not close the other connections', async () => {
  const registry = new EtcdRegistry({ hosts: [`http://127.0.0.1:${proxy.port}`] });
  const endpoint = { address: '127.0.0.1:1', metadata: null };
  const registration = registry.register({ service: 'one', endpoint, ttlSeconds: 2 });
  await firstValueFrom(registration.status$.pipe(filter(({ state }) => state === 'registered')));
  const synced = firstValueFrom(
    registry.events$.pipe(filter(({ type }) => type === 'watch-synced')),
  );
  const watch = registry.watch('one').subscribe();
  await synced;
  const other = registry.watch('two').subscribe();
  // Several keepalive cycles of ttl / 3.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const before = proxy.accepted;
  other.unsubscribe();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect({ before, after: proxy.accepted }).toEqual({ before: 3, after: 3 });
  watch.unsubscribe();
  await registry.close();
});
