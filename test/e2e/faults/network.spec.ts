/**
 * A fleet while the network to its etcd fails, or etcd's history moves on meanwhile. Rows 4 and 6 of the
 * matrix.
 */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { stopEventProcesses } from '../../support/event-process.js';
import { FaultFleet, type FaultTick } from '../../support/fault-fleet.js';
import { FaultProxy } from '../../support/fault-proxy.js';

const TTL_SECONDS = 3;
const SERVERS = 2;

describeEtcd('a fleet behind a network', (binary) => {
  let etcd: EtcdProcess;
  let proxy: FaultProxy;
  let fleet: FaultFleet;
  let before: FaultTick;

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
    proxy = await FaultProxy.start({ targetPort: etcd.port });
    fleet = await FaultFleet.start({
      hosts: [`http://127.0.0.1:${proxy.port}`],
      readerHosts: etcd.hosts,
      ttlSeconds: TTL_SECONDS,
      servers: SERVERS,
    });
  });

  afterAll(async () => {
    fleet?.close();
    await stopEventProcesses();
    await proxy?.stop();
    await etcd?.stop();
  });

  beforeEach(async () => {
    await fleet.untilRecords(SERVERS);
    before = await fleet.tick();
  });

  const expectNoFailure = async (): Promise<void> => {
    const after = await fleet.tick(({ calls }) => calls > before.calls + 50);
    expect({ failed: after.failed - before.failed, why: after.lastError }).toEqual({
      failed: 0,
      why: before.lastError,
    });
  };

  it.each([
    ['no byte reaches etcd', () => proxy.stall('to-server')],
    ['no byte of etcd arrives', () => proxy.stall('to-client')],
    ['no byte passes', () => proxy.stall('both')],
    [
      'connections are accepted and never answered',
      () => {
        proxy.acceptOnly();
        proxy.disconnect();
      },
    ],
  ] as const)(
    'notices that %s, and recovers when that ends',
    async (_, strike) => {
      strike();
      // The client notices the fault without a hint; etcd notices it because leases run out.
      await fleet.tick(({ away }) => away === true, 60_000);
      expect(await fleet.untilRecords(0)).toBeDefined();
      proxy.resume();
      expect(await fleet.untilRecords(SERVERS)).toBeDefined();
      expect(await fleet.untilList(SERVERS)).toBeDefined();
      await expectNoFailure();
    },
    240_000,
  );

  it('has the right list after it was cut off, although etcd has compacted the changes', async () => {
    await proxy.cut();
    await fleet.tick(({ away }) => away === true);
    for (let batch = 0; batch < 50; batch++) {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          fleet.etcd.put(`${fleet.service}/x${index}`).value(record(10_000 + index)),
        ),
      );
    }
    const [start, end] = ['x1', 'y'].map((name) => Buffer.from(`${fleet.service}/${name}`));
    await fleet.etcd.kv.deleteRange({ key: start, range_end: end });
    const { header } = await fleet.etcd.kv.range({ key: Buffer.from('x') });
    await fleet.etcd.kv.compact({ revision: header.revision, physical: true });
    await proxy.restore();
    // The outcome of 5,000 events: one record without a server.
    expect(await fleet.untilList(SERVERS + 1)).toBeDefined();
    await fleet.etcd.delete().key(`${fleet.service}/x0`);
    expect(await fleet.untilList(SERVERS)).toBeDefined();
    await expectNoFailure();
  });

  it('reads lists and changes of more than 4 MB', async () => {
    const padding = JSON.stringify({ padding: 'x'.repeat(1_400_000) });
    await proxy.cut();
    for (const port of [1, 2, 3]) {
      await fleet.etcd.put(`${fleet.service}/big${port}`).value(record(port, padding));
    }
    await proxy.restore();
    expect(await fleet.untilList(SERVERS + 3)).toBeDefined();
    for (const port of [4, 5, 6]) {
      await fleet.etcd.put(`${fleet.service}/big${port}`).value(record(port, padding));
    }
    expect(await fleet.untilList(SERVERS + 6)).toBeDefined();
    await fleet.etcd.delete().prefix(`${fleet.service}/big`);
    expect(await fleet.untilList(SERVERS)).toBeDefined();
    await expectNoFailure();
  });
});

function record(port: number, metadata = 'null'): string {
  return `{"Op":0,"Addr":"127.0.0.1:${port}","Metadata":${metadata}}`;
}
