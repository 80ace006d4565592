/** A real etcd cluster of several members on loopback, for what one node cannot show. Whoever starts one stops it. */
import { Etcd3 } from 'etcd3';
import { type EtcdBinary, EtcdProcess, freePort } from './etcd-process.js';

export interface EtcdClusterOptions {
  /** Which binary; the first of this machine by default. */
  readonly binary?: EtcdBinary;
  /** How many members; 3 by default. */
  readonly size?: number;
}

/** A running cluster. */
export class EtcdCluster {
  private constructor(readonly members: readonly EtcdProcess[]) {}

  /** Starts members that know each other; resolves once all are healthy, which takes a leader. */
  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    try {
      return await EtcdCluster.tryStart(options);
    } catch {
      // Nine ports have to be free from when they are chosen until they are used; another test may have taken one.
      return EtcdCluster.tryStart(options);
    }
  }

  private static async tryStart(options: EtcdClusterOptions): Promise<EtcdCluster> {
    const { size = 3, binary } = options;
    const peers: { name: string; peerPort: number }[] = [];
    for (let index = 0; index < size; index++) {
      peers.push({ name: `m${index}`, peerPort: await freePort() });
    }
    const all = peers.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join();
    const flags = ['--initial-cluster', all, '--initial-cluster-state', 'new'];
    const started = await Promise.allSettled(
      peers.map((peer) =>
        EtcdProcess.start({ ...peer, flags, ...(binary === undefined ? {} : { binary }) }),
      ),
    );
    const members = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failure = started.find((each) => each.status === 'rejected');
    if (failure !== undefined) {
      await Promise.all(members.map((member) => member.stop()));
      throw failure.reason;
    }
    return new EtcdCluster(members);
  }

  /** What goes into `etcd: { hosts }`. */
  get hosts(): string[] {
    return this.members.flatMap(({ hosts }) => hosts);
  }

  /** The member that leads now. */
  async leader(): Promise<EtcdProcess> {
    for (const member of this.members) {
      const client = new Etcd3({ hosts: member.hosts });
      try {
        const { leader, header } = await client.maintenance.status({
          deadline: Date.now() + 1_000,
        });
        if (leader === header.member_id) return member;
      } catch {
        // It is down; another one leads.
      } finally {
        client.close();
      }
    }
    throw new Error('no member leads');
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}
