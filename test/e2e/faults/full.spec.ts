/** An etcd whose space is used up refuses writes and still renews leases. */
import { Etcd3 } from 'etcd3';
import { EtcdRegistry, type Registration } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { describeEachEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';

const until = (registration: Registration, state: string) =>
  firstValueFrom(registration.status$.pipe(filter((status) => status.state === state)));

const FULL_FLAGS = ['--quota-backend-bytes', String(4 * 2 ** 20)];

/** Writes until etcd refuses. */
async function fill(hosts: string[]): Promise<void> {
  // A separate client: its circuit breaker opens at the first refusal.
  const writer = new Etcd3({ hosts });
  const filler = 'x'.repeat(1_000_000);
  for (let full = false; !full;) {
    full = await writer
      .put('filler')
      .value(filler)
      .then(
        () => false,
        () => true,
      );
  }
  writer.close();
}

describeEachEtcd('an etcd that is full', (binary) => {
  it('refuses to change a record, and still deletes the record when its registration closes', async () => {
    const etcd = await EtcdProcess.start({ binary, flags: FULL_FLAGS });
    const admin = new Etcd3({ hosts: etcd.hosts });
    const registry = new EtcdRegistry({ hosts: etcd.hosts });
    const register = (service: string) =>
      registry.register({
        service,
        endpoint: { address: '127.0.0.1:1', metadata: null },
        ttlSeconds: 60,
      });
    try {
      const registrations = ['api', 'web'].map(register);
      await Promise.all(registrations.map((one) => until(one, 'registered')));
      await fill(etcd.hosts);
      for (const registration of registrations) {
        const refused = firstValueFrom(
          registration.status$.pipe(filter(({ error }) => error?.code === 'REGISTRY_REJECTED')),
        );
        registration.update({ address: '127.0.0.1:1', metadata: { weight: 2 } });
        await refused;
      }
      await registrations[0]?.close();
      expect(await admin.getAll().keys()).toEqual(['filler', 'web/127.0.0.1:1']);
      await registrations[1]?.close();
      expect(await admin.getAll().keys()).toEqual(['filler']);
    } finally {
      await registry.close();
      admin.close();
      await etcd.stop();
    }
  });

  it('keeps its records, refuses new ones, and accepts them once it has space', async () => {
    const etcd = await EtcdProcess.start({ binary, flags: FULL_FLAGS });
    const admin = new Etcd3({ hosts: etcd.hosts });
    const timings = { backoffCapMs: 5_000 };
    const registry = new EtcdRegistry({ hosts: etcd.hosts, timings });
    const lost: string[] = [];
    registry.events$.subscribe((event) => {
      if (event.type === 'lease-lost' || event.type === 'lease-expired') lost.push(event.type);
    });
    const register = (port: number) =>
      registry.register({
        service: 'api',
        endpoint: { address: `127.0.0.1:${port}`, metadata: null },
        ttlSeconds: 2,
      });
    try {
      const early = register(1);
      await until(early, 'registered');
      await fill(etcd.hosts);
      const late = register(2);
      const refused = await firstValueFrom(
        late.status$.pipe(filter(({ error }) => error?.code === 'REGISTRY_REJECTED')),
      );
      expect(refused.error?.message).toContain('database space exceeded');
      // Several times to live of the lease under which the refused record would be written.
      for (let attempts = 0; attempts < 400; attempts++) {
        expect(await admin.get('api/127.0.0.1:1')).not.toBeNull();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(lost).toEqual([]);
      const { header } = await admin.kv.range({ key: Buffer.from('filler') });
      await admin.kv.compact({ revision: header.revision, physical: true });
      await admin.maintenance.defragment();
      const { alarms } = await admin.maintenance.alarm({ action: 'Get' });
      for (const { memberID, alarm } of alarms) {
        await admin.maintenance.alarm({ action: 'Deactivate', memberID, alarm });
      }
      await until(late, 'registered');
      expect(early.status.state).toBe('registered');
    } finally {
      await registry.close();
      admin.close();
      await etcd.stop();
    }
  });
});
