/** A fleet while members of its etcd cluster fail. Rows 3 and 7 of the matrix. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { stopEventProcesses } from '../../support/event-process.js';
import { FaultFleet, type FaultTick } from '../../support/fault-fleet.js';

const SERVERS = 3;
const NOWHERE = 'http://127.0.0.1:1';

describeEtcd('a fleet on a cluster of three', (binary) => {
  let cluster: EtcdCluster;
  let fleet: FaultFleet;
  let before: FaultTick;

  beforeAll(async () => {
    cluster = await EtcdCluster.start({ binary });
    // One of the hosts was never running.
    const hosts = [NOWHERE, ...cluster.hosts];
    const readerHosts = cluster.hosts;
    fleet = await FaultFleet.start({ hosts, readerHosts, ttlSeconds: 5, servers: SERVERS });
  });

  afterAll(async () => {
    fleet?.close();
    await stopEventProcesses();
    await cluster?.stop();
  });

  beforeEach(async () => {
    before = await fleet.tick();
  });

  const isUnharmed = async (): Promise<void> => {
    expect(await fleet.untilRecords(SERVERS)).toBeDefined();
    expect(await fleet.untilList(SERVERS)).toBeDefined();
    const after = await fleet.tick(({ calls }) => calls > before.calls + 50);
    expect(after.failed - before.failed, after.lastError).toBe(0);
    expect(after.stream?.broken).toBe(before.stream?.broken);
  };

  const leases = () =>
    fleet.servers.map(({ stdout }) => stdout.match(/Lease \d+ granted/g)?.length);

  it('is unharmed by the loss of the leader, and keeps its leases', async () => {
    const leader = await cluster.leader();
    await leader.kill();
    await isUnharmed();
    await leader.launch();
    expect(leases()).toEqual([1, 1, 1]);
  });

  it('is unharmed by the loss of each member in turn', async () => {
    for (const member of cluster.members) {
      await member.kill();
      await isUnharmed();
      await member.launch();
    }
    expect(leases()).toEqual([1, 1, 1]);
  });

  it('is unharmed by a member that is frozen forever', async () => {
    const [member] = cluster.members;
    member?.pause();
    try {
      await isUnharmed();
      // Long enough that every lease was renewed through another member.
      await fleet.tick(({ calls }) => calls > before.calls + 2_000);
      await isUnharmed();
      expect(leases()).toEqual([1, 1, 1]);
    } finally {
      member?.resume();
    }
  });

  it('is unharmed by the loss of the majority, and registers again when the majority is back', async () => {
    const [, ...others] = cluster.members;
    await Promise.all(others.map((member) => member.kill()));
    await fleet.tick(({ away }) => away === true, 60_000);
    await Promise.all(others.map((member) => member.launch()));
    await isUnharmed();
  });
});
