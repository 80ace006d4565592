/**
 * A real etcd cluster of several members on loopback, for what one node cannot show. A test that starts a
 * cluster must stop it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { type EtcdBinary, EtcdProcess } from './etcd-process.js';
import { freePort } from './free-port.js';

export interface EtcdClusterOptions {
  /** The etcd binary of the members; by default the first of this machine. */
  readonly binary?: EtcdBinary;
  /** How many members the cluster has; 3 by default. */
  readonly size?: number;
}

/** A running etcd cluster. */
export class EtcdCluster {
  private added = 0;

  private constructor(readonly members: EtcdProcess[]) {}

  /** Starts members that know each other. Resolves once all are healthy, for which they need a leader. */
  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    try {
      return await EtcdCluster.tryStart(options);
    } catch {
      // Nine ports must stay free between their choice and their use; another test may have taken one.
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

  /** The value of the option `etcd: { hosts }`. */
  get hosts(): string[] {
    return this.members.flatMap(({ hosts }) => hosts);
  }

  /** The member that is the leader now. */
  async leader(): Promise<EtcdProcess> {
    for (const member of this.members) {
      const client = new Etcd3({ hosts: member.hosts });
      try {
        const { leader, header } = await client.maintenance.status({
          deadline: Date.now() + 1_000,
        });
        if (leader === header.member_id) return member;
      } catch {
        // This member is down; another one leads.
      } finally {
        client.close();
      }
    }
    throw new Error('no member leads');
  }

  /** Adds a member. A learner receives all changes, but has no vote and serves no client. */
  async add(isLearner = false): Promise<EtcdProcess> {
    const [first] = this.members;
    if (first === undefined) throw new Error('the cluster has no member');
    const name = `added${this.added++}`;
    const peerPort = await freePort();
    const peerURLs = [`http://127.0.0.1:${peerPort}`];
    const before = await this.ask(({ cluster }) => cluster.memberAdd({ peerURLs, isLearner }));
    const all = before.members.map((member) => `${member.name || name}=${member.peerURLs[0]}`);
    const flags = ['--initial-cluster', all.join(), '--initial-cluster-state', 'existing'];
    const member = await EtcdProcess.start({ name, peerPort, flags, binary: first.binary });
    this.members.push(member);
    return member;
  }

  /** Makes a learner a full member. */
  async promote(member: EtcdProcess): Promise<void> {
    const ID = await this.idOf(member);
    await this.ask(({ cluster }) => cluster.memberPromote({ ID }));
  }

  /** Removes a member from the cluster, and ends it. */
  async remove(member: EtcdProcess): Promise<void> {
    const ID = await this.idOf(member);
    // The member that leaves gets no request: it may end before it answers.
    this.members.splice(this.members.indexOf(member), 1);
    await this.ask(async ({ cluster }) => {
      const { members } = await cluster.memberList({});
      if (members.some((known) => known.ID === ID)) await cluster.memberRemove({ ID });
    });
    await member.stop();
  }

  private async idOf({ peerUrl }: EtcdProcess): Promise<string> {
    const { members } = await this.ask(({ cluster }) => cluster.memberList({}));
    const found = members.find(({ peerURLs }) => peerURLs.includes(peerUrl));
    if (found === undefined) throw new Error(`${peerUrl} is no member`);
    return found.ID;
  }

  /** Sends a request until the cluster accepts it: the cluster refuses changes while a member joins. */
  private async ask<T>(run: (client: Etcd3) => Promise<T>): Promise<T> {
    const client = new Etcd3({ hosts: this.members[0]?.hosts ?? [] });
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          return await run(client);
        } catch (error) {
          if (attempt === 100) throw error;
          await delay(100);
        }
      }
    } finally {
      client.close();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}
