/** One etcd, or a cluster of three, a fleet on it under load, and the measuring of one fault. */
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdCluster } from '../../test/support/etcd-cluster.js';
import { type EtcdBinary, EtcdProcess } from '../../test/support/etcd-process.js';
import { stopEventProcesses } from '../../test/support/event-process.js';
import { FaultFleet } from '../../test/support/fault-fleet.js';
import { FaultProxy } from '../../test/support/fault-proxy.js';
import { Certificates, enableUsers, ROOT } from '../../test/support/secured-etcd.js';

/** Whose fleet. */
export type Side = 'nest' | 'go';

/** What a fault can be done to. */
export interface FaultRig {
  readonly side: Side;
  readonly etcds: readonly EtcdProcess[];
  readonly cluster: EtcdCluster | undefined;
  readonly proxy: FaultProxy;
  readonly fleet: FaultFleet;
  /** Where the row has asked for TLS. */
  readonly certificates: Certificates | undefined;
}

/** A row of the matrix. */
export interface FaultRow {
  readonly id: string;
  readonly name: string;
  readonly expected: string;
  /** Members, where the row makes sense on so many only. The first is reached through the proxy where `network` is set. */
  readonly members?: 1 | 3;
  readonly network?: boolean;
  /** An etcd that asks for passwords, or for TLS; ours only. */
  readonly secured?: 'users' | 'tls';
  /** How many servers are left afterwards; 3 by default. */
  readonly left?: number;
  /** Go's pair is not asked: its server does not start without etcd. */
  readonly oursOnly?: boolean;
  /** Takes minutes. */
  readonly long?: boolean;
  /** Does it all and resolves when the fault is over, or begun where it never ends. */
  strike(rig: FaultRig): Promise<void>;
}

/** What a fault did. Times in seconds from the end of the fault; `NaN`: not within 30 s, or not known of this side. */
export interface FaultOutcome {
  readonly calls: number;
  readonly failed: number;
  readonly broken: number;
  readonly recordsSeconds: number;
  readonly listSeconds: number;
  /** Records that were never there again. */
  readonly lost: number;
  /** What the logs said, each line once, without what differs from process to process. */
  readonly log: readonly string[];
}

const SERVERS = 3;
/** Time to live of the records, in seconds. */
export const FAULT_TTL_SECONDS = 10;

/**
 * A fresh etcd and a fresh fleet for one row.
 *
 * @param members of etcd; by default as many as the row needs
 */
export async function measureFault(
  row: FaultRow,
  side: Side,
  binary: EtcdBinary,
  members: 1 | 3 = row.members ?? 1,
): Promise<FaultOutcome> {
  const cluster = members === 3 ? await EtcdCluster.start({ binary }) : undefined;
  const certificates = row.secured === 'tls' ? new Certificates() : undefined;
  const { flags, ca } = certificates ?? {};
  const secure = flags === undefined ? {} : { scheme: 'https' as const, flags };
  const etcds = cluster?.members ?? [await EtcdProcess.start({ binary, ...secure })];
  const proxy = await FaultProxy.start({ targetPort: etcds[0]?.port ?? 0 });
  const direct = etcds.flatMap(({ hosts }) => hosts);
  const hosts =
    row.network === true ? [`http://127.0.0.1:${proxy.port}`, ...direct.slice(1)] : direct;
  let fleet: FaultFleet | undefined;
  try {
    const ttlSeconds = FAULT_TTL_SECONDS;
    if (row.secured === 'users') await enableUsers(direct);
    const etcdOptions = {
      ...(row.secured === 'users' ? { auth: ROOT } : {}),
      ...(ca === undefined ? {} : { tls: { ca } }),
    };
    fleet = await FaultFleet.start({
      hosts,
      readerHosts: direct,
      side,
      ttlSeconds,
      etcdOptions,
      rate: 200,
      callTimeoutMs: 5_000,
    });
    return await measure(row, { side, etcds, cluster, proxy, fleet, certificates });
  } finally {
    fleet?.close();
    await stopEventProcesses();
    await proxy.stop();
    await Promise.all(etcds.map((etcd) => etcd.stop()));
    certificates?.remove();
  }
}

async function measure(row: FaultRow, rig: FaultRig): Promise<FaultOutcome> {
  const { fleet, side } = rig;
  const { left = SERVERS } = row;
  await fleet.tick();
  const before = await fleet.tick();
  const logged = processes(fleet).map(({ stdout }) => stdout.length);
  await row.strike(rig);
  const [records, list] = await Promise.all([
    fleet.untilRecords(left),
    side === 'go' ? undefined : fleet.untilList(left),
  ]);
  // A record that nobody renews any more lives for one more TTL: only then it shows who is lost.
  await delay((FAULT_TTL_SECONDS + 3) * 1_000);
  const after = await fleet.tick();
  // A member that is stopped does not say; the next attempt asks another.
  let there = await fleet.records();
  for (let attempt = 0; there === undefined && attempt < 10; attempt++)
    there = await fleet.records();
  const lines = processes(fleet).flatMap(({ stdout }, index) =>
    stdout.slice(logged[index]).split('\n'),
  );
  return {
    calls: after.calls - before.calls,
    failed: after.failed - before.failed,
    broken: (after.stream?.broken ?? 0) - (before.stream?.broken ?? 0),
    recordsSeconds: seconds(records),
    listSeconds: seconds(list),
    lost: Math.max(0, left - (there ?? NaN)),
    log: [...new Set(lines.flatMap(logLine))],
  };
}

function processes(fleet: FaultFleet) {
  return [...fleet.servers, fleet.client];
}

function seconds(milliseconds: number | undefined): number {
  return milliseconds === undefined ? NaN : milliseconds / 1_000;
}

/** The message of a line of Nest's log at `WARN` or `LOG`, shortened. */
function logLine(line: string): string[] {
  const match = /(WARN|LOG) \[DiscoveryModule\] (.*)/.exec(line);
  if (match?.[2] === undefined) return [];
  const message = match[2]
    .replace(/127\.0\.0\.1:\d+(, 127\.0\.0\.1:\d+)*/g, 'ADDRESS')
    .replace(/\d+/g, 'N')
    .replace(/\(\[.*?\)(?=;|\.|:)/, '(…)');
  return [message.length > 110 ? `${message.slice(0, 110)}…` : message];
}
