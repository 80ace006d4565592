/** Several processes behind one address: workers of node:cluster, and other processes that claim one key. */
import { Etcd3 } from 'etcd3';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { encodeEndpoint } from '../../../lib/core/records/endpoint-codec.js';
import { EtcdRegistry } from '../../../lib/etcd/etcd-registry.js';
import { finalTally, startClient } from '../../interop/fleet.js';
import { compileApps, startApp } from '../../support/child-app.js';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { freePort } from '../../support/free-port.js';
import { stopEventProcesses } from '../../support/event-process.js';
import { announce, endpointAt, Follower } from '../../support/registry-contract.js';

describeEtcd('one address, several processes', (binary) => {
  let etcd: EtcdProcess;
  let admin: Etcd3;
  beforeAll(async () => {
    await compileApps();
    etcd = await EtcdProcess.start({ binary });
    admin = new Etcd3({ hosts: etcd.hosts });
  });
  afterEach(stopEventProcesses);
  afterAll(async () => {
    admin?.close();
    await etcd?.stop();
  });

  async function keys(prefix: string): Promise<string[]> {
    return (await admin.getAll().prefix(prefix).keys()).toSorted();
  }

  async function record(key: string): Promise<{ value: string; lease: string } | undefined> {
    const [found] = (await admin.get(key).exec()).kvs;
    return found && { value: found.value.toString(), lease: found.lease };
  }

  it('four workers of node:cluster that share a port are replaced one by one under load, and no call fails', async () => {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    const url = etcd.hosts[0] ?? '';
    const settings = { ETCD_HOSTS: url, SERVICE: 'clustered', URL: address };
    const primary = await startApp('api-cluster', settings);
    await primary.waitForEvent('up', { timeoutMs: 60_000 });
    const own = (id: number): string => `clustered/${address}#${id}`;
    expect(await keys('clustered/')).toEqual([1, 2, 3, 4].map(own));
    const load = { forever: true, concurrency: 8, intervalMs: 0, warm: 1, holdMs: 5 };
    const client = await startClient('nest', url, 'clustered', load);
    await client.waitForEvent('warm');
    primary.kill('SIGUSR2');
    await primary.waitForEvent('rolled', { timeoutMs: 100_000 });
    expect(await keys('clustered/')).toEqual([5, 6, 7, 8].map(own));
    await client.nextEvent('tick');
    client.kill('SIGTERM');
    expect(await finalTally(client)).toMatchObject({ failed: 0 });
  }, 200_000);

  it('two processes claim one address: when one of them leaves, the other gets the record, and no client loses the address', async () => {
    const options = { hosts: etcd.hosts };
    const [first, second, observer] = [
      new EtcdRegistry(options),
      new EtcdRegistry(options),
      new EtcdRegistry(options),
    ];
    const endpoint = endpointAt('10.0.0.1:1');
    const request = { service: 'virtual', endpoint, ttlSeconds: 2 };
    const [staying] = await announce(first, 'virtual', endpoint);
    const follower = new Follower(observer, 'virtual');
    await follower.lists('10.0.0.1:1');
    const isClaimed = firstValueFrom(
      second.events$.pipe(filter(({ type }) => type === 'conflict')),
    );
    const leaving = second.register(request);
    await isClaimed;
    // While both go on, the record belongs to the one and the other in turn; either may leave at any time.
    await leaving.close();
    await second.close();
    expect(await keys('virtual/')).toEqual(['virtual/10.0.0.1:1']);
    expect(await admin.get('virtual/10.0.0.1:1').string()).toBe(encodeEndpoint(endpoint));
    expect(follower.updates.flatMap((update) => ('left' in update ? update.left : []))).toEqual([]);
    const removed = follower.updates.flatMap((update) =>
      update.kind === 'change' ? update.change.removed : [],
    );
    expect(removed).toEqual([]);
    await staying?.close();
    await follower.lists();
    follower.stop();
    await Promise.all([first.close(), observer.close()]);
    expect(await keys('virtual/')).toEqual([]);
  });

  it('a second process that registers the key and leaves gives the record back to the first before the next keepalive of the first', async () => {
    const options = { hosts: etcd.hosts };
    const [owner, visitor] = [new EtcdRegistry(options), new EtcdRegistry(options)];
    // The keepalives of the first process are 20 s apart.
    const request = { service: 'visited', endpoint: endpointAt('10.0.0.1:1'), ttlSeconds: 60 };
    const isRegistered = filter(({ state }: { readonly state: string }) => state === 'registered');
    await firstValueFrom(owner.register(request).status$.pipe(isRegistered));
    const before = await record('visited/10.0.0.1:1');
    const visit = visitor.register(request);
    await firstValueFrom(visit.status$.pipe(isRegistered));
    expect((await record('visited/10.0.0.1:1'))?.lease).not.toBe(before?.lease);
    await visit.close();
    await visitor.close();
    expect(await record('visited/10.0.0.1:1')).toEqual(before);
    await owner.close();
    expect(await keys('visited/')).toEqual([]);
  });
});
