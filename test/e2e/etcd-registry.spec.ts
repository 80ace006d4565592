/** The contract of every registry, on real etcd: two processes' worth of registries on one store. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EtcdRegistry } from '../../lib/etcd/etcd-registry.js';
import { describeEachEtcd } from '../support/describe-etcd.js';
import { EtcdProcess } from '../support/etcd-process.js';
import {
  announce,
  describeRegistryContract,
  endpointAt,
  Follower,
} from '../support/registry-contract.js';

describeEachEtcd('EtcdRegistry', (binary) => {
  let etcd: EtcdProcess;
  let namespaces = 0;

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  describeRegistryContract(`EtcdRegistry on etcd ${binary.version}`, async (services) => {
    const options = { hosts: etcd.hosts, namespace: `test-${++namespaces}/` };
    const registry = new EtcdRegistry(options);
    for (const [service, endpoints] of Object.entries(services)) {
      await announce(registry, service, ...endpoints);
    }
    return { registry, observer: new EtcdRegistry(options) };
  });

  it('keeps namespaces apart', async () => {
    const [one, other] = ['one/', 'other/'].map(
      (namespace) => new EtcdRegistry({ hosts: etcd.hosts, namespace }),
    ) as [EtcdRegistry, EtcdRegistry];
    await announce(one, 'api', endpointAt('h:1'));
    await announce(other, 'api', endpointAt('h:2'));
    await new Follower(one, 'api').lists('h:1');
    await new Follower(other, 'api').lists('h:2');
    expect(one.describe('api')).toContain('"one/api/"');
    await Promise.all([one.close(), other.close()]);
  });
});
