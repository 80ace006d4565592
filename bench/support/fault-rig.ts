/** Measures one fault: on one etcd or a cluster of three, and a fleet on it under load. */
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdCluster } from '../../test/support/etcd-cluster.js';
import { type EtcdBinary, EtcdProcess } from '../../test/support/etcd-process.js';
import { stopEventProcesses } from '../../test/support/event-process.js';
import { FaultFleet } from '../../test/support/fault-fleet.js';
import { FaultProxy } from '../../test/support/fault-proxy.js';
import { Certificates, enableUsers, ROOT } from '../../test/support/secured-etcd.js';

/** Whether the fleet is ours (`nest`) or Go's. */
export type Side = 'nest' | 'go';

/** The processes that a fault can strike. */
export interface FaultRig {
  readonly side: Side;
  readonly etcds: readonly EtcdProcess[];
  readonly cluster: EtcdCluster | undefined;
  readonly proxy: FaultProxy;
  readonly fleet: FaultFleet;
  /** The certificates; `undefined`: the row does not ask for TLS. */
  readonly certificates: Certificates | undefined;
}

/** A row of the fault matrix. */
export interface FaultRow {
  readonly id: string;
  readonly name: string;
  readonly expected: string;
  /**
   * How many members the row needs; unset: any number. With `network`, the first member is reached through
   * the proxy.
   */
  readonly members?: 1 | 3;
  readonly network?: boolean;
  /** etcd asks for passwords (`users`) or for TLS; Go's pair does not run then. */
  readonly secured?: 'users' | 'tls';
  /** How many servers are left after the fault; 3 by default. */
  readonly left?: number;
  /** Go's pair does not run, because its server does not start without etcd. */
  readonly oursOnly?: boolean;
  /** The row takes minutes. */
  readonly long?: boolean;
  /** Causes the fault; resolves when it is over, or when it has begun if it never ends. */
  strike(rig: FaultRig): Promise<void>;
}

/**
 * The effects of a fault. Times are in seconds from the end of the fault; `NaN`: not within 30 s, or not
 * known for this side.
 */
export interface FaultOutcome {
  readonly calls: number;
  readonly failed: number;
  readonly broken: number;
  readonly recordsSeconds: number;
  readonly listSeconds: number;
  /** How many records never came back. */
  readonly lost: number;
  /** The lines of all logs, each once, without the parts that differ between processes. */
  readonly log: readonly string[];
}

const SERVERS = 3;
/** Time to live of the records, in seconds. */
export const FAULT_TTL_SECONDS = 10;

/**
 * Measures one row on a fresh etcd and a fresh fleet.
 *
 * @param members how many members etcd has; by default as many as the row needs
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
  // A record that is not renewed any more stays in etcd for one TTL: only after that a lost record is
  // missing.
  await delay((FAULT_TTL_SECONDS + 3) * 1_000);
  const after = await fleet.tick();
  // A stopped member does not answer; the next attempt asks another member.
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
