/** An etcd with users that restarts, and a certificate that is replaced. Row 8 of the matrix. */
import { type DiscoveryEvent, EtcdRegistry, type Registration } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { describeEachEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { Certificates, enableUsers, ROOT } from '../../support/secured-etcd.js';

const until = (registration: Registration, state: string) =>
  firstValueFrom(registration.status$.pipe(filter((status) => status.state === state)));
const endpoint = { address: '127.0.0.1:1', metadata: null };

/** Resolves with the next event of a type. */
const next = (registry: EtcdRegistry, type: DiscoveryEvent['type']) =>
  firstValueFrom(registry.events$.pipe(filter((event) => event.type === type)));

describeEachEtcd('a secured etcd', (binary) => {
  it('keeps a registration and a watch across a restart that invalidates all tokens', async () => {
    const etcd = await EtcdProcess.start({ binary });
    await enableUsers(etcd.hosts);
    const auth = ROOT;
    const registry = new EtcdRegistry({ hosts: etcd.hosts, auth });
    try {
      const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 2 });
      const updates: string[] = [];
      registry.watch('api').subscribe(({ kind }) => updates.push(kind));
      await until(registration, 'registered');
      for (let restart = 0; restart < 2; restart++) {
        const interrupted = next(registry, 'watch-interrupted');
        const unreachable = until(registration, 'unreachable');
        await etcd.kill();
        await Promise.all([interrupted, unreachable]);
        const synced = next(registry, 'watch-synced');
        await etcd.launch();
        await Promise.all([until(registration, 'registered'), synced]);
      }
      // With a valid token a keepalive and a change succeed.
      registration.update({ ...endpoint, metadata: { weight: 2 } });
      await firstValueFrom(
        registry.watch('api').pipe(filter(({ kind }) => kind === 'change' || kind === 'reset')),
      );
      expect(updates).toContain('failure');
    } finally {
      await registry.close();
      await etcd.stop();
    }
  });

  it('keeps a registration when it gets a new certificate of the same authority', async () => {
    const certificates = new Certificates();
    const { flags, ca } = certificates;
    const etcd = await EtcdProcess.start({ binary, scheme: 'https', flags });
    const tls = { ca };
    const registry = new EtcdRegistry({ hosts: etcd.hosts, tls });
    try {
      const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 2 });
      await until(registration, 'registered');
      certificates.issue();
      // The wait begins before the kill: on a busy machine the lease can run out before the kill is over, and
      // the state is then another one.
      const unreachable = until(registration, 'unreachable');
      await etcd.kill();
      await unreachable;
      await etcd.launch();
      await until(registration, 'registered');
      expect(registration.status).toMatchObject({ state: 'registered', address: endpoint.address });
    } finally {
      await registry.close();
      await etcd.stop();
      certificates.remove();
    }
  });
});
