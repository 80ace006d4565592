/**
 * Hosts that answer and do not serve, and members that are replaced: a process finds the members that serve.
 */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import { type DiscoveryEvent, EtcdRegistry, type Registration } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { describeEachEtcd } from '../../support/describe-etcd.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { EtcdProcess } from '../../support/etcd-process.js';

const endpoint = { address: '127.0.0.1:1', metadata: null };

const until = (registration: Registration, state: string) =>
  firstValueFrom(registration.status$.pipe(filter((status) => status.state === state)));

/**
 * Resolves once the registry has registered and listed the record; its first request goes to the first host.
 */
async function worksOn(hosts: readonly string[]): Promise<void> {
  const registry = new EtcdRegistry({ hosts: [...hosts] }, { random: () => 0 });
  try {
    await until(registry.register({ service: 'api', endpoint, ttlSeconds: 10 }), 'registered');
    const listed = await firstValueFrom(
      registry.watch('api').pipe(filter(({ kind }) => kind === 'reset')),
    );
    expect(listed).toMatchObject({ snapshot: new Map([['api/127.0.0.1:1', endpoint]]) });
  } finally {
    await registry.close();
  }
}

describeEachEtcd('hosts', (binary) => {
  it('may include a learner: the registry asks another member', async () => {
    const cluster = await EtcdCluster.start({ binary, size: 1 });
    try {
      const learner = await cluster.add(true);
      await worksOn([...learner.hosts, ...(cluster.members[0]?.hosts ?? [])]);
    } finally {
      await cluster.stop();
    }
  });

  it('may include a server that is not etcd', async () => {
    const etcd = await EtcdProcess.start({ binary });
    const other = new Server();
    const port = await new Promise<number>((resolve) =>
      other.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) =>
        resolve(bound),
      ),
    );
    try {
      await worksOn([`http://127.0.0.1:${port}`, ...etcd.hosts]);
    } finally {
      other.forceShutdown();
      await etcd.stop();
    }
  });

  it('with syncIntervalMs, are replaced by the present members of the cluster, one change at a time', async () => {
    const cluster = await EtcdCluster.start({ binary, size: 1 });
    const registry = new EtcdRegistry({ hosts: cluster.hosts, syncIntervalMs: 1_000 });
    const events: DiscoveryEvent[] = [];
    registry.events$.subscribe((event) => events.push(event));
    /** Resolves at the next event with exactly these members. */
    const told = (...members: readonly EtcdProcess[]) => {
      const hosts = members.flatMap((member) => member.hosts).sort();
      return firstValueFrom(
        registry.events$.pipe(
          filter(
            (event) =>
              event.type === 'members-changed' && [...event.members].sort().join() === hosts.join(),
          ),
        ),
      );
    };
    try {
      const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 10 });
      await until(registration, 'registered');
      const [old] = cluster.members;
      if (old === undefined) throw new Error('the cluster has no member');
      // The new member is a learner first: otherwise the single member would wait for its vote.
      const added = await cluster.add(true);
      const both = told(old, added);
      await cluster.promote(added);
      await both;
      const alone = told(added);
      await cluster.remove(old);
      await alone;
      registration.update({ ...endpoint, metadata: { weight: 2 } });
      const reader = new Etcd3({ hosts: cluster.hosts });
      await expect.poll(() => reader.get('api/127.0.0.1:1').string()).toContain('weight');
      reader.close();
      expect(events.map(({ type }) => type)).not.toContain('lease-lost');
      const changes = events.filter(({ type }) => type === 'members-changed');
      expect(changes).toHaveLength(2);
    } finally {
      await registry.close();
      await cluster.stop();
    }
  }, 240_000);
});
