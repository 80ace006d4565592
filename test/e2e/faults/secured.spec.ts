/** Tokens that expire, an etcd with users that restarts, a certificate that is renewed. Row 8 of the matrix. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import { type DiscoveryEvent, EtcdRegistry, type Registration } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { describeEachEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';

const until = (registration: Registration, state: string) =>
  firstValueFrom(registration.status$.pipe(filter((status) => status.state === state)));
const endpoint = { address: '127.0.0.1:1', metadata: null };

/** Resolves with the next event of a type. */
const next = (registry: EtcdRegistry, type: DiscoveryEvent['type']) =>
  firstValueFrom(registry.events$.pipe(filter((event) => event.type === type)));

async function enableUsers(hosts: readonly string[]): Promise<void> {
  const root = new Etcd3({ hosts: [...hosts] });
  await root.user('root').create('root-password');
  await root.role('root').create();
  await root.user('root').addRole('root');
  await root.auth.authEnable();
  root.close();
}

describeEachEtcd('a secured etcd', (binary) => {
  it('keeps a registration and a watch over a restart that forgets all tokens', async () => {
    const etcd = await EtcdProcess.start({ binary });
    await enableUsers(etcd.hosts);
    const auth = { username: 'root', password: 'root-password' };
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
      // Under a valid token: a keepalive and a change pass.
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

  it('keeps a registration over tokens that expire faster than they are used', async () => {
    // The flag is there from 3.5 on.
    if (binary.version.startsWith('3.4.')) return;
    const etcd = await EtcdProcess.start({ binary, flags: ['--auth-token-ttl', '1'] });
    await enableUsers(etcd.hosts);
    const auth = { username: 'root', password: 'root-password' };
    const registry = new EtcdRegistry({ hosts: etcd.hosts, auth });
    const lost: string[] = [];
    registry.events$.subscribe(({ type }) => {
      if (type === 'lease-lost' || type === 'lease-expired') lost.push(type);
    });
    try {
      // A keepalive every 2 s, with a token that lives for 1.
      const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 6 });
      await until(registration, 'registered');
      for (let interruption = 0; interruption < 2; interruption++) {
        await next(registry, 'lease-recovered');
      }
      expect(registration.status.state).toBe('registered');
      expect(lost).toEqual([]);
    } finally {
      await registry.close();
      await etcd.stop();
    }
  });

  it('keeps a registration over a new certificate of the same authority', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
    const path = (name: string) => join(folder, name);
    const subject = ['-subj', '/CN=localhost', '-nodes', '-newkey', 'rsa:2048'];
    openssl(
      'req',
      '-x509',
      ...subject,
      '-keyout',
      path('ca.key'),
      '-out',
      path('ca.pem'),
      '-days',
      '2',
    );
    const issue = (): void => {
      openssl('req', ...subject, '-keyout', path('key.pem'), '-out', path('csr.pem'));
      writeFileSync(path('extensions'), 'subjectAltName=IP:127.0.0.1');
      const authority = ['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial'];
      const output = ['-out', path('cert.pem'), '-days', '1', '-extfile', path('extensions')];
      openssl('x509', '-req', '-in', path('csr.pem'), ...authority, ...output);
    };
    issue();
    const flags = ['--cert-file', path('cert.pem'), '--key-file', path('key.pem')];
    const etcd = await EtcdProcess.start({ binary, scheme: 'https', flags });
    const tls = { ca: readFileSync(path('ca.pem'), 'utf8') };
    const registry = new EtcdRegistry({ hosts: etcd.hosts, tls });
    try {
      const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 2 });
      await until(registration, 'registered');
      issue();
      await etcd.kill();
      await until(registration, 'unreachable');
      await etcd.launch();
      await until(registration, 'registered');
    } finally {
      await registry.close();
      await etcd.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
