/**
 * Authentication that is switched on and off, tokens that expire, and permissions and passwords that change,
 * under running processes.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import { type DiscoveryEvent, EtcdRegistry, type Registration } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeEachEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import { enableUsers, ROOT } from '../../support/secured-etcd.js';

const endpoint = { address: '127.0.0.1:1', metadata: null };
const key = 'api/127.0.0.1:1';
const FLEET = { username: 'fleet', password: 'fleet-password' };
const PREFIX = { key: Buffer.from('api/'), range_end: Buffer.from('api0') };

const until = (registration: Registration, state: string) =>
  firstValueFrom(registration.status$.pipe(filter((status) => status.state === state)));

describeEachEtcd('an etcd with users', (binary) => {
  let folder: string;
  let etcd: EtcdProcess;
  let admin: Etcd3;
  let registry: EtcdRegistry;
  let events: DiscoveryEvent[];

  /** Starts a registry as {@link FLEET}. */
  const open = (): void => {
    registry = new EtcdRegistry({ hosts: etcd.hosts, auth: FLEET });
    registry.events$.subscribe((event) => events.push(event));
  };
  const count = (type: DiscoveryEvent['type']) =>
    events.filter((event) => event.type === type).length;
  const stored = async () => (await admin.get(key).string()) ?? '';
  const permit = () =>
    admin.auth.roleGrantPermission({ name: 'fleet', perm: { permType: 'Readwrite', ...PREFIX } });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jwt-'));
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const [pub, priv] = [join(folder, 'public.pem'), join(folder, 'private.pem')];
    writeFileSync(pub, publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(priv, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
    // A JWT token contains the time at which it expires; using the token does not extend it.
    const token = `jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256,ttl=2s`;
    etcd = await EtcdProcess.start({ binary, flags: ['--auth-token', token] });
    admin = new Etcd3({ hosts: etcd.hosts });
    await admin.user(FLEET.username).create(FLEET.password);
    await admin.role('fleet').create();
    await permit();
    await admin.user(FLEET.username).addRole('fleet');
  });
  afterAll(async () => {
    admin?.close();
    await etcd?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    events = [];
  });
  afterEach(() => registry.close());

  it('gets requests without tokens while authentication is off, and with tokens as soon as it is on', async () => {
    open();
    const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 2 });
    await until(registration, 'registered');
    expect(count('auth-unused')).toBe(1);

    await enableUsers(etcd.hosts);
    admin.close();
    admin = new Etcd3({ hosts: etcd.hosts, auth: ROOT });
    registration.update({ ...endpoint, metadata: { weight: 2 } });
    await expect.poll(stored).toContain('"weight":2');

    await admin.auth.authDisable();
    // The registry notices that when it needs a new token, after the restart.
    const unreachable = until(registration, 'unreachable');
    await etcd.kill();
    await unreachable;
    await etcd.launch();
    await until(registration, 'registered');
    expect(count('record-refused')).toBe(0);

    const anybody = new Etcd3({ hosts: etcd.hosts });
    await anybody.auth.authEnable();
    anybody.close();
  });

  it('issues new tokens for expired ones, without a line in the log', async () => {
    open();
    // A keepalive every 2.3 s, with a token that lives for 2 s.
    const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 7 });
    await until(registration, 'registered');
    const lease = await admin.leaseClient.leaseLeases();
    expect(lease.leases).toHaveLength(1);
    let renewals = 0;
    for (let before = 0; renewals < 3;) {
      const { TTL } = await admin.leaseClient.leaseTimeToLive({ ID: lease.leases[0]?.ID ?? '0' });
      if (Number(TTL) > before) renewals++;
      before = Number(TTL);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const watch = registry.watch('api').subscribe();
    await firstValueFrom(registry.events$.pipe(filter(({ type }) => type === 'watch-synced')));
    watch.unsubscribe();
    expect(events.map(({ type }) => type)).toEqual(['lease-granted', 'registered', 'watch-synced']);
  });

  it('that takes a permission away causes one report, and further attempts', async () => {
    open();
    const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 2 });
    await until(registration, 'registered');
    await admin.auth.roleRevokePermission({ role: 'fleet', ...PREFIX });
    const refused = await firstValueFrom(
      registration.status$.pipe(filter(({ error }) => error !== undefined)),
    );
    expect(refused.error?.code).toBe('REGISTRY_REJECTED');
    await permit();
    await until(registration, 'registered');
    expect(count('lease-unreachable') + count('record-refused')).toBeLessThanOrEqual(2);
  });

  it('accepts a corrected password, and gets few attempts with the wrong one before', async () => {
    await admin.user(FLEET.username).setPassword('another-password');
    open();
    const registration = registry.register({ service: 'api', endpoint, ttlSeconds: 2 });
    const interrupted = registry.watch('api').pipe(filter(({ kind }) => kind === 'failure'));
    expect(await firstValueFrom(interrupted)).toMatchObject({
      error: { code: 'REGISTRY_REJECTED' },
    });
    expect(registration.status.error?.code).toBe('REGISTRY_REJECTED');
    expect(registration.status.error?.message).not.toContain(FLEET.password);
    await admin.user(FLEET.username).setPassword(FLEET.password);
    await until(registration, 'registered');
  });
});
