/**
 * Random faults on a cluster of three and the fleet on it. The same seed gives the same faults in the same
 * order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdCluster } from '../../test/support/etcd-cluster.js';
import type { EtcdBinary } from '../../test/support/etcd-process.js';
import { stopEventProcesses } from '../../test/support/event-process.js';
import { FaultFleet, type FaultTick } from '../../test/support/fault-fleet.js';
import { seededRandom } from '../../test/support/seeded-random.js';

/** A cluster and a fleet, for random faults. */
export class RandomFaults {
  private readonly random: () => number;

  private constructor(
    readonly cluster: EtcdCluster,
    readonly fleet: FaultFleet,
    seed: number,
  ) {
    this.random = seededRandom(seed);
  }

  static async start(
    seed: number,
    options: { readonly binary: EtcdBinary; readonly ttlSeconds: number; readonly rate?: number },
  ): Promise<RandomFaults> {
    const { binary, ttlSeconds, rate = 200 } = options;
    const cluster = await EtcdCluster.start({ binary });
    const { hosts } = cluster;
    const fleet = await FaultFleet.start({ hosts, ttlSeconds, rate, callTimeoutMs: 5_000 });
    return new RandomFaults(cluster, fleet, seed);
  }

  /** Causes one fault, then undoes what can be undone; resolves with the name of the fault. */
  async next(): Promise<string> {
    const { cluster, fleet } = this;
    const { members } = cluster;
    const pick = <T>(of: readonly T[]): T => of[Math.floor(this.random() * of.length)] as T;
    const durationMs = 200 + Math.floor(this.random() * 4_000);
    const kind = pick(['kill', 'freeze', 'majority', 'all', 'revoke', 'delete', 'wipe', 'compact']);
    const member = pick(members);
    const others = members.filter((each) => each !== member);
    const record = Math.floor(this.random() * 3);
    switch (kind) {
      case 'kill':
        await member.kill();
        await delay(durationMs);
        await member.launch();
        return `a member killed for ${durationMs} ms`;
      case 'freeze':
        member.pause();
        await delay(durationMs);
        member.resume();
        return `a member stopped for ${durationMs} ms`;
      case 'majority':
        await Promise.all(others.map((each) => each.kill()));
        await delay(durationMs);
        await Promise.all(others.map((each) => each.launch()));
        return `two members killed for ${durationMs} ms`;
      case 'all':
        await Promise.all(members.map((each) => each.kill()));
        await delay(durationMs);
        await Promise.all(members.map((each) => each.launch()));
        return `all members killed for ${durationMs} ms`;
      case 'revoke': {
        const { leases } = await fleet.etcd.leaseClient.leaseLeases();
        const lease = leases[record % Math.max(1, leases.length)];
        if (lease !== undefined) await fleet.etcd.leaseClient.leaseRevoke({ ID: lease.ID });
        return 'a lease revoked';
      }
      case 'delete': {
        const keys = (await fleet.keys()) ?? [];
        await fleet.etcd.delete().key(keys[record % Math.max(1, keys.length)] ?? 'none');
        return 'a key deleted';
      }
      case 'wipe':
        await fleet.etcd.delete().prefix(`${fleet.service}/`);
        return 'all keys deleted';
      default: {
        const { header } = await fleet.etcd.kv.range({ key: Buffer.from('x') });
        await fleet.etcd.kv.compact({ revision: header.revision }).catch(() => {});
        await member.kill();
        await member.launch();
        return 'history compacted, and a member restarted';
      }
    }
  }

  /**
   * How long until the records and then the client's list are right, in milliseconds; `undefined`: not within
   * a minute.
   */
  async converged(): Promise<{ readonly recordsMs: number; readonly listMs: number } | undefined> {
    const started = performance.now();
    const sinceStart = (): number => performance.now() - started;
    if ((await this.fleet.untilRecords(3, 60_000)) === undefined) return undefined;
    const recordsMs = sinceStart();
    if ((await this.fleet.untilList(3, 60_000)) === undefined) return undefined;
    return { recordsMs, listMs: sinceStart() };
  }

  tick(): Promise<FaultTick> {
    return this.fleet.tick();
  }

  async stop(): Promise<void> {
    this.fleet.close();
    await stopEventProcesses();
    await this.cluster.stop();
  }
}
