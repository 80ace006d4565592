/** The library's own registry on the embedded server keeps the contract of every registry. */
import { afterAll, beforeAll } from 'vitest';
import { EtcdRegistry } from '../../lib/index.js';
import { EmbeddedEtcd } from '../../lib/testing/index.js';
import { announce, describeRegistryContract } from '../support/registry-contract.js';

let etcd: EmbeddedEtcd;
let namespaces = 0;

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start();
});

afterAll(() => etcd?.stop());

describeRegistryContract('EtcdRegistry on the embedded etcd', async (services) => {
  const options = { hosts: etcd.hosts, namespace: `test-${++namespaces}/` };
  const registry = new EtcdRegistry(options);
  for (const [service, endpoints] of Object.entries(services)) {
    await announce(registry, service, ...endpoints);
  }
  return { registry, observer: new EtcdRegistry(options) };
});
