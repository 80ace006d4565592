/** Starts without etcd, and servers that die while etcd is away. Rows 10 and 12 of the matrix. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { stopEventProcesses } from '../../support/event-process.js';
import { FaultFleet } from '../../support/fault-fleet.js';

describeEtcd('a fleet without its etcd', (binary) => {
  let etcd: EtcdProcess;
  let fleet: FaultFleet;
  let folder: string;

  beforeEach(async () => {
    etcd = await EtcdProcess.start({ binary });
    folder = mkdtempSync(join(tmpdir(), 'fault-fleet-'));
  });

  afterEach(async () => {
    fleet.close();
    await stopEventProcesses();
    await etcd.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('starts, fails calls fast with the reason, and works once etcd is up', async () => {
    await etcd.kill();
    fleet = new FaultFleet({ hosts: etcd.hosts, ttlSeconds: 3 });
    await Promise.all([fleet.addServer('s0'), fleet.startClient()]);
    const without = await fleet.tick(({ failed }) => failed > 20);
    expect(without.byCode).toEqual({ UNAVAILABLE: without.failed });
    expect(without.lastError).toMatch(/service "api" cannot be resolved from etcd prefix "api\/"/);
    await etcd.launch();
    expect(await fleet.untilRecords(1)).toBeDefined();
    const working = await fleet.tick(({ byServer }) => (byServer['s0'] ?? 0) > 0);
    const later = await fleet.tick(({ calls }) => calls > working.calls + 100);
    expect(later.failed).toBe(working.failed);
  });

  it('has clients that start with the list in their snapshot file, and no call fails', async () => {
    const snapshotFile = join(folder, 'lists.json');
    fleet = await FaultFleet.start({
      hosts: etcd.hosts,
      servers: 2,
      rootOptions: { snapshotFile },
    });
    await fleet.client.stop();
    await etcd.kill();
    await fleet.startClient();
    const served = await fleet.tick(({ calls }) => calls > 100);
    expect(served).toMatchObject({ failed: 0, away: true });
    expect(served.savedAt).toBeGreaterThan(0);
    expect(Object.keys(served.byServer).sort()).toEqual(['s0', 's1']);
    await etcd.launch();
    expect(await fleet.untilList(2)).toBeDefined();
    expect((await fleet.tick()).failed).toBe(0);
  });

  it('stops calling a server that dies meanwhile, because the connection to that server ends', async () => {
    fleet = await FaultFleet.start({ hosts: etcd.hosts, ttlSeconds: 3, servers: 3 });
    await etcd.kill();
    await fleet.tick(({ away }) => away === true);
    const [victim] = fleet.servers;
    victim?.kill('SIGKILL');
    await victim?.exit;
    const dead = await fleet.tick();
    const after = await fleet.tick(({ calls }) => calls > dead.calls + 200);
    // Only calls in flight to that server may fail, no later ones.
    expect(after.lateFailures).toBe(0);
    const settled = await fleet.tick(({ calls }) => calls > after.calls + 200);
    expect(settled.failed).toBe(after.failed);
    expect(settled.byServer['s0']).toBe(after.byServer['s0']);
    expect(settled.list).toHaveLength(3);
    await etcd.launch();
    // The record of the dead server stays for one time to live; after that the list is right too.
    expect(await fleet.untilRecords(2)).toBeDefined();
    expect(await fleet.untilList(2)).toBeDefined();
    expect((await fleet.tick()).failed).toBe(after.failed);
  });
});
