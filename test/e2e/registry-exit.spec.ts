/**
 * A registry that is closed leaves nothing in etcd, however many records there are, and however slow the
 * network to etcd is.
 */
import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EtcdRegistry } from '../../lib/etcd/etcd-registry.js';
import { describeEtcd } from '../support/describe-etcd.js';
import { EtcdProcess } from '../support/etcd-process.js';
import { endpointAt, Follower, untilRegistered } from '../support/registry-contract.js';
import { startSlowProxy } from '../support/slow-proxy.js';

describeEtcd('a registry that is closed', (binary) => {
  let etcd: EtcdProcess;
  let admin: Etcd3;

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
    admin = new Etcd3({ hosts: etcd.hosts });
  });

  afterAll(async () => {
    admin?.close();
    await etcd?.stop();
  });

  async function left(prefix: string): Promise<{ records: number; leases: number }> {
    const records = await admin.getAll().prefix(prefix).count();
    const { leases } = await admin.leaseClient.leaseLeases();
    return { records, leases: leases.length };
  }

  it('with 500 services announces each removal as a leaving server, and leaves neither record nor lease', async () => {
    const options = { hosts: etcd.hosts, namespace: 'many/', requestTimeoutMs: 20_000 };
    const registry = new EtcdRegistry(options);
    const services = Array.from({ length: 500 }, (_, index) => `api-${index}`);
    const registrations = services.map((service) =>
      registry.register({ service, endpoint: endpointAt('h:1'), ttlSeconds: 600 }),
    );
    await Promise.all(registrations.map(untilRegistered));
    expect(await left('many/')).toEqual({ records: 500, leases: 1 });
    const observer = new EtcdRegistry(options);
    const follower = new Follower(observer, 'api-499');
    await follower.lists('h:1');

    await Promise.all(registrations.map((registration) => registration.close()));
    await registry.close();
    expect(await left('many/')).toEqual({ records: 0, leases: 0 });
    await follower.lists();
    expect(follower.updates.flatMap((update) => ('left' in update ? update.left : []))).toEqual([
      'many/api-499/h:1',
    ]);
    follower.stop();
    await observer.close();
  });

  it('at any moment of its registration, with a round trip of 300 ms, leaves neither record nor lease', async () => {
    const proxy = await startSlowProxy(etcd.port, 150);
    const options = { hosts: [`http://127.0.0.1:${proxy.port}`], namespace: 'far/' };
    try {
      const moments = Array.from({ length: 24 }, (_, index) => index * 80);
      await Promise.all(
        moments.map(async (afterMs) => {
          const registry = new EtcdRegistry(options);
          const endpoint = endpointAt(`h:${afterMs + 1}`);
          const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 600 });
          // This time is an input of the test: it ends at some moment between the round trips of a
          // registration.
          await new Promise((resolve) => setTimeout(resolve, afterMs));
          await registration.close();
          await registry.close();
        }),
      );
      // The last requests end a moment after the registry is closed.
      await expect.poll(() => left('far/')).toEqual({ records: 0, leases: 0 });
    } finally {
      await proxy.stop();
    }
  });
});
