/** The rows of the fault matrix, in order. */
import { setTimeout as delay } from 'node:timers/promises';
import { FAULT_TTL_SECONDS, type FaultRig, type FaultRow } from './fault-rig.js';

const SECOND = 1_000;

/**
 * Every row with one fault on one fleet. Rows 13 and 14 have benches of their own; a client that starts
 * without etcd has a test.
 */
export const FAULT_ROWS: readonly FaultRow[] = [
  killed('1a', 5),
  killed('1b', 25),
  { ...killed('1c', 120), long: true },
  {
    id: '2',
    name: 'etcd back with an empty data folder',
    expected: '0 failed; registered again ≤ 5 s',
    strike: async ({ etcds }) => {
      await killAll(etcds);
      for (const etcd of etcds) etcd.wipe();
      await launchAll(etcds);
    },
  },
  {
    id: '3a',
    name: 'etcd stopped for 30 s',
    expected: '0 failed; missing ≤ one TTL',
    strike: async ({ etcds }) => {
      for (const etcd of etcds) etcd.pause();
      await delay(30 * SECOND);
      for (const etcd of etcds) etcd.resume();
    },
  },
  {
    id: '3b',
    name: 'one of three members stopped for good',
    members: 3,
    expected: '0 failed; missing ≤ one TTL',
    strike: async ({ etcds: [etcd] }) => {
      etcd?.pause();
      await delay(2 * FAULT_TTL_SECONDS * SECOND);
    },
  },
  stalled('4a', 'no byte reaches etcd for 20 s', ({ proxy }) => proxy.stall('to-server')),
  stalled('4b', 'no byte of etcd arrives for 20 s', ({ proxy }) => proxy.stall('to-client')),
  stalled('4c', 'no byte passes for 20 s', ({ proxy }) => proxy.stall('both')),
  stalled('4d', 'accepted and never answered for 20 s', ({ proxy }) => {
    proxy.acceptOnly();
    proxy.disconnect();
  }),
  {
    id: '5a',
    name: 'lease revoked from outside',
    expected: 'back ≤ ttl/3 + 1 s',
    strike: async ({ fleet }) => {
      const { leases } = await fleet.etcd.leaseClient.leaseLeases();
      await fleet.etcd.leaseClient.leaseRevoke({ ID: leases[0]?.ID ?? '0' });
    },
  },
  {
    id: '5b',
    name: 'key deleted from outside',
    expected: 'back ≤ ttl/3 + 1 s',
    strike: async ({ fleet }) => {
      await fleet.etcd.delete().key((await fleet.keys())?.[0] ?? '');
    },
  },
  {
    id: '5c',
    name: 'key overwritten by another',
    expected: 'back ≤ ttl/3 + 1 s',
    strike: async ({ fleet }) => {
      const key = (await fleet.keys())?.[0] ?? '';
      const mine = (await fleet.etcd.get(key)) ?? '';
      await fleet.etcd.put(key).value(mine.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
    },
  },
  {
    id: '6a',
    name: 'compaction and 5,000 events missed',
    network: true,
    expected: 'list right ≤ 2 s',
    strike: async ({ proxy, fleet }) => {
      await proxy.cut();
      for (let batch = 0; batch < 25; batch++) {
        const puts = Array.from({ length: 200 }, (_, index) => put(fleet, `x${index}`, ''));
        await Promise.all(puts);
      }
      await fleet.etcd.delete().prefix(`${fleet.service}/x`);
      const { header } = await fleet.etcd.kv.range({ key: Buffer.from('x') });
      await fleet.etcd.kv.compact({ revision: header.revision, physical: true });
      await proxy.restore();
    },
  },
  {
    id: '6b',
    name: 'a reply of over 4 MB after a cut',
    network: true,
    expected: 'list right ≤ 2 s',
    strike: async ({ proxy, fleet, side }) => {
      await proxy.cut();
      // Each record has another address, because the list has one entry per address.
      for (const port of [1, 2, 3, 4]) await put(fleet, `x${port}`, 'x'.repeat(1_400_000), port);
      await proxy.restore();
      if (side === 'nest') await fleet.untilList(7);
      await fleet.etcd.delete().prefix(`${fleet.service}/x`);
    },
  },
  {
    id: '7a',
    name: 'leader killed',
    members: 3,
    expected: '0 failed; no registration lost',
    strike: async ({ cluster }) => (await cluster?.leader())?.kill(),
  },
  {
    id: '7b',
    name: 'each member killed in turn',
    members: 3,
    expected: '0 failed; no registration lost',
    strike: async ({ etcds }) => {
      for (const etcd of etcds) {
        await etcd.kill();
        await delay(3 * SECOND);
        await etcd.launch();
      }
    },
  },
  {
    id: '7c',
    name: 'two of three killed for 20 s',
    members: 3,
    expected: '0 failed; no registration lost',
    strike: async ({ etcds: [, ...others] }) => {
      await Promise.all(others.map((etcd) => etcd.kill()));
      await delay(20 * SECOND);
      await Promise.all(others.map((etcd) => etcd.launch()));
    },
  },
  {
    id: '8a',
    name: 'etcd with users killed: every token is forgotten',
    secured: 'users',
    expected: 'keeps going',
    strike: async ({ etcds }) => {
      await killAll(etcds);
      await delay(5 * SECOND);
      await launchAll(etcds);
    },
  },
  {
    id: '8b',
    name: 'certificate rotated, etcd restarted',
    secured: 'tls',
    members: 1,
    expected: 'keeps going',
    strike: async ({ etcds: [etcd], certificates }) => {
      certificates?.issue();
      await etcd?.kill();
      await delay(5 * SECOND);
      await etcd?.launch();
    },
  },
  {
    id: '9',
    name: 'a server stood still for 2×TTL',
    expected: 'back ≤ 1 s after',
    strike: async ({ fleet, side }) => {
      const [server] = fleet.servers;
      if (side === 'go') {
        server?.kill('SIGSTOP');
        await delay(2 * FAULT_TTL_SECONDS * SECOND);
        server?.kill('SIGCONT');
        return;
      }
      const unblocked = server?.nextEvent('unblocked', 60 * SECOND);
      server?.kill('SIGHUP');
      await unblocked;
    },
  },
  {
    id: '10',
    name: 'etcd down when a server starts, up 20 s later',
    oursOnly: true,
    left: 4,
    expected: '0 failed; registered ≤ 3 s after',
    strike: async ({ etcds, fleet }) => {
      await killAll(etcds);
      await fleet.addServer('late');
      await delay(20 * SECOND);
      await launchAll(etcds);
    },
  },
  {
    id: '11',
    name: 'all records deleted at once',
    expected: '0 failed',
    strike: async ({ fleet }) => {
      await fleet.etcd.delete().prefix(`${fleet.service}/`);
    },
  },
  {
    id: '12',
    name: 'a server killed while etcd is away',
    expected: 'only calls under way',
    left: 2,
    strike: async ({ etcds, fleet }) => {
      await killAll(etcds);
      fleet.servers[0]?.kill('SIGKILL');
      await delay(5 * SECOND);
      await launchAll(etcds);
    },
  },
];

async function killAll(etcds: FaultRig['etcds']): Promise<void> {
  await Promise.all(etcds.map((etcd) => etcd.kill()));
}

/** Starts all members together, because one of three alone never becomes healthy. */
async function launchAll(etcds: FaultRig['etcds']): Promise<void> {
  await Promise.all(etcds.map((etcd) => etcd.launch()));
}

function killed(id: string, seconds: number): FaultRow {
  return {
    id,
    name: `etcd killed for ${seconds} s`,
    expected: '0 failed; right ≤ 3 s',
    strike: async ({ etcds }) => {
      await killAll(etcds);
      await delay(seconds * SECOND);
      await launchAll(etcds);
    },
  };
}

function stalled(id: string, name: string, begin: (rig: FaultRig) => void): FaultRow {
  return {
    id,
    name,
    network: true,
    expected: '0 failed; missing ≤ one TTL',
    strike: async (rig) => {
      begin(rig);
      await delay(20 * SECOND);
      rig.proxy.resume();
    },
  };
}

function put({ etcd, service }: FaultRig['fleet'], name: string, padding: string, port = 1) {
  const value = JSON.stringify({ Op: 0, Addr: `127.0.0.1:${port}`, Metadata: { padding } });
  return etcd.put(`${service}/${name}`).value(value);
}
