/** Many registries on an etcd that gets almost no CPU time, and to which all of them must reconnect. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { slowDown, SlowedHerd } from '../../support/slowed-herd.js';

describeEtcd('registries on an etcd that runs for 4 ms of every 100 ms', (binary) => {
  let etcd: EtcdProcess;
  let proxy: FaultProxy;
  let herd: SlowedHerd;

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
    proxy = await FaultProxy.start({ targetPort: etcd.port });
    const hosts = [`http://127.0.0.1:${proxy.port}`];
    herd = new SlowedHerd({ hosts, registries: 10, services: 5 });
    await herd.untilWhole(60_000);
  });

  afterAll(async () => {
    await herd?.close();
    await proxy?.stop();
    await etcd?.stop();
  });

  it('have all records and watches back within 30 s after the slowing ends, and read each list at most 2.5 times on average', async () => {
    const beforeCut = herd.lists;
    const slow = slowDown(etcd, 4, 10_000);
    proxy.disconnect();
    await slow;
    const beforeEnd = herd.lists;
    const ended = performance.now();
    await herd.untilWhole(60_000);
    expect(performance.now() - ended).toBeLessThan(30_000);
    // Every watch was cut, so each has listed again.
    expect((herd.lists - beforeCut) / herd.watches).toBeGreaterThanOrEqual(1);
    expect((herd.lists - beforeEnd) / herd.watches).toBeLessThanOrEqual(2.5);
  }, 240_000);
});
