/** An etcd with TLS, with client certificates, and with users and roles. */
import { readFileSync } from 'node:fs';
import { Etcd3 } from 'etcd3';
import { ServiceRegistrar } from 'nestjs-grpc-discovery';
import { expect, it } from 'vitest';
import { describeEachEtcd } from '../support/describe-etcd.js';
import { EtcdProcess } from '../support/etcd-process.js';
import { countByServer, startUserClient, startUserServer } from '../support/user-apps.js';

const path = (name: string) => new URL(`../fixtures/tls/${name}.pem`, import.meta.url).pathname;
const pem = (name: string) => readFileSync(path(name), 'utf8');
const serverFlags = ['--cert-file', path('server'), '--key-file', path('server-key')];

describeEachEtcd('a registry on a secured etcd', (binary) => {
  it('registers and resolves over TLS', async () => {
    const etcd = await EtcdProcess.start({ binary, scheme: 'https', flags: serverFlags });
    try {
      await works({ hosts: etcd.hosts, tls: { ca: pem('ca') } });
    } finally {
      await etcd.stop();
    }
  });

  it('registers and resolves with a client certificate', async () => {
    const flags = [...serverFlags, '--client-cert-auth', '--trusted-ca-file', path('ca')];
    const etcd = await EtcdProcess.start({ binary, scheme: 'https', flags });
    try {
      const tls = { ca: pem('ca'), cert: pem('client'), key: pem('client-key') };
      await works({ hosts: etcd.hosts, tls });
    } finally {
      await etcd.stop();
    }
  });

  it("registers and resolves with a user under the prefix of the user's role, and nowhere else", async () => {
    const etcd = await EtcdProcess.start({ binary });
    try {
      const root = new Etcd3({ hosts: etcd.hosts });
      const range = { key: Buffer.from('api/'), range_end: Buffer.from('api0') };
      await root.user('root').create('root-password');
      await root.role('root').create();
      await root.user('root').addRole('root');
      await root.user('fleet').create('fleet-password');
      await root.role('fleet').create();
      await root.auth.roleGrantPermission({
        name: 'fleet',
        perm: { permType: 'Readwrite', ...range },
      });
      await root.user('fleet').addRole('fleet');
      await root.auth.authEnable();
      root.close();

      const auth = { username: 'fleet', password: 'fleet-password' };
      await works({ hosts: etcd.hosts, auth });

      const outside = await startUserServer({
        // The default requestTimeoutMs stays: on a busy machine the check of a password alone takes etcd a
        // good part of a second.
        discovery: { etcd: { hosts: etcd.hosts, auth }, service: { name: 'forbidden' } },
      });
      const { state, registrations } = outside.get(ServiceRegistrar, { strict: false }).status;
      expect(state).toBe('registering');
      expect(registrations[0]?.error?.message).toMatch(/\[REGISTRY_REJECTED\].*permission denied/);
      expect(registrations[0]?.error?.message).not.toContain('fleet-password');
      await outside.close();
    } finally {
      await etcd.stop();
    }
  });
});

async function works(
  etcd: NonNullable<Parameters<typeof startUserClient>[0]['etcd']>,
): Promise<void> {
  const server = await startUserServer({ id: 'a', discovery: { etcd, service: { name: 'api' } } });
  const client = await startUserClient({ etcd });
  try {
    expect(await countByServer(client, 3)).toEqual({ a: 3 });
  } finally {
    await client.close();
    await server.close();
  }
}
