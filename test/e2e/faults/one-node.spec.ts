/**
 * A fleet under load while its only etcd fails, loses data or freezes. Rows 1–3, 5, 9 and 11 of the fault
 * matrix.
 */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { type EventProcess, stopEventProcesses } from '../../support/event-process.js';
import { FaultFleet, type FaultTick } from '../../support/fault-fleet.js';

const TTL_SECONDS = 2;
const SERVERS = 3;

describeEtcd('a fleet on one etcd', (binary) => {
  let etcd: EtcdProcess;
  let fleet: FaultFleet;
  let before: FaultTick;
  /** The length of each server's log when the test began. */
  let logged: number[];

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
    const { hosts } = etcd;
    fleet = await FaultFleet.start({ hosts, ttlSeconds: TTL_SECONDS, servers: SERVERS });
  });

  afterAll(async () => {
    fleet?.close();
    await stopEventProcesses();
    await etcd?.stop();
  });

  afterEach(async () => {
    // The next test begins with a healthy fleet, in which each server knows that it is registered: etcd may
    // have kept the records over its own restart.
    await fleet.untilRecords(SERVERS);
    await fleet.untilRegistered();
  });

  const begin = async (): Promise<void> => {
    before = await fleet.tick();
    logged = fleet.servers.map(({ stdout }) => stdout.length);
  };

  /**
   * Checks that every record and the client's list are right, no call failed, and the stream is not broken.
   */
  const isUnharmed = async (): Promise<void> => {
    expect(await fleet.untilRecords(SERVERS)).toBeDefined();
    expect(await fleet.untilList(SERVERS)).toBeDefined();
    const after = await fleet.tick(({ calls }) => calls > before.calls + 50);
    expect({ failed: after.failed - before.failed, why: after.lastError }).toEqual({
      failed: 0,
      why: before.lastError,
    });
    expect(after.stream?.broken).toBe(before.stream?.broken);
  };

  /** Whether every server has logged this text since the test began. */
  const logs = async (text: string, servers: readonly EventProcess[] = fleet.servers) => {
    for (const server of servers) {
      const from = logged[fleet.servers.indexOf(server)] ?? 0;
      while (!server.stdout.slice(from).includes(text)) await fleet.tick();
    }
  };

  it('is unharmed by a restart', async () => {
    await begin();
    await etcd.kill();
    await fleet.tick(({ away }) => away === true);
    await etcd.launch();
    await isUnharmed();
  });

  it('is unharmed by an etcd that is away for longer than a lease lives', async () => {
    await begin();
    await etcd.kill();
    await logs('for longer than it lives');
    await etcd.launch();
    await isUnharmed();
    await logs('Registration goes on');
    for (const server of fleet.servers) {
      while (
        server.events.findLast(({ event }) => event === 'status')?.['state'] !== 'registered'
      ) {
        await fleet.tick();
      }
    }
  });

  it('registers again after etcd restarts without data', async () => {
    await begin();
    await etcd.kill();
    etcd.wipe();
    await etcd.launch();
    await isUnharmed();
  });

  it('is unharmed by an etcd that is frozen for longer than a lease lives', async () => {
    await begin();
    etcd.pause();
    await logs('for longer than it lives');
    etcd.resume();
    await isUnharmed();
  });

  it('registers a server again if another process revokes its lease', async () => {
    await begin();
    const { leases } = await fleet.etcd.leaseClient.leaseLeases();
    expect(leases).toHaveLength(SERVERS);
    for (const { ID } of leases) await fleet.etcd.leaseClient.leaseRevoke({ ID });
    await isUnharmed();
    await logs('registering again under a new one');
  });

  it('registers a server again if its key is deleted', async () => {
    await begin();
    const [key = ''] = (await fleet.keys()) ?? [];
    await fleet.etcd.delete().key(key);
    await isUnharmed();
  });

  it('registers a server again if another process overwrites its key', async () => {
    await begin();
    const [key = ''] = (await fleet.keys()) ?? [];
    await fleet.etcd.put(key).value('{"Op":0,"Addr":"127.0.0.1:1","Metadata":null}');
    while ((await fleet.etcd.get(key))?.includes('"127.0.0.1:1"') === true) await fleet.tick();
    await isUnharmed();
  });

  it('is unharmed when all records are deleted at once', async () => {
    await begin();
    const from = fleet.client.stdout.length;
    await fleet.etcd.delete().prefix(`${fleet.service}/`);
    // The servers may be back between two ticks; the client's log stays.
    while (!fleet.client.stdout.slice(from).includes('no longer lists')) await fleet.tick();
    await isUnharmed();
  });

  it('registers a server again if its event loop stood still for twice the time to live of its record', async () => {
    await begin();
    const [server] = fleet.servers;
    if (server === undefined) throw new Error('there is no server');
    const unblocked = server.nextEvent('unblocked');
    server.kill('SIGHUP');
    expect(await fleet.untilRecords(SERVERS - 1)).toBeDefined();
    await unblocked;
    expect(await fleet.untilRecords(SERVERS)).toBeDefined();
    expect(await fleet.untilList(SERVERS)).toBeDefined();
  });
});
