/** Faults that only the embedded server offers, and no real etcd. */
import { connect as connectTo } from 'node:net';
import { Metadata } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { EmbeddedEtcd } from '../../lib/testing/index.js';
import { type Outcome, RawClient, metadataOf } from './raw-client.js';

const bytes = (text: string): Buffer => Buffer.from(text);
const everything = { key: Buffer.from([0]), range_end: Buffer.from([0]) };
const opened: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

function connect(address: string): RawClient {
  const client = new RawClient(address);
  opened.push(() => client.close());
  return client;
}

/** Sends a request as soon as the server accepts connections. */
function untilAnswered(client: RawClient, path: string, request: object): Promise<Outcome> {
  return client.call(path, request, new Metadata({ waitForReady: true }));
}

async function embedded(
  options: Parameters<typeof EmbeddedEtcd.start>[0] = {},
): Promise<{ etcd: EmbeddedEtcd; client: RawClient }> {
  const etcd = await EmbeddedEtcd.start(options);
  opened.push(() => etcd.stop());
  return { etcd, client: connect(`127.0.0.1:${etcd.port}`) };
}

describe('a fault of the embedded server', () => {
  it('deleteKey and revokeLease remove keys, and a watch gets both removals', async () => {
    const { etcd, client } = await embedded();
    const { reply } = await client.call('Lease/LeaseGrant', { TTL: 60 });
    await client.call('KV/Put', { key: bytes('a'), lease: reply?.['ID'] });
    await client.call('KV/Put', { key: bytes('b'), lease: reply?.['ID'] });
    const watch = client.stream('Watch/Watch');
    watch.send({ create_request: everything });
    await watch.next();
    expect(etcd.faults.deleteKey('a')).toBe(true);
    expect(etcd.faults.deleteKey('a')).toBe(false);
    expect(etcd.faults.revokeLease('b')).toBe(true);
    expect(etcd.faults.revokeLease('b')).toBe(false);
    const keys: string[] = [];
    while (keys.length < 2) {
      const { events } = (await watch.next()) as { events: { kv: { key: Buffer } }[] };
      keys.push(...events.map(({ kv }) => kv.key.toString()));
    }
    expect(keys).toEqual(['a', 'b']);
  });

  it('expireLeasesNow ends every lease at once', async () => {
    const { etcd, client } = await embedded();
    for (const key of ['a', 'b']) {
      const { reply } = await client.call('Lease/LeaseGrant', { TTL: 60 });
      await client.call('KV/Put', { key: bytes(key), lease: reply?.['ID'] });
    }
    etcd.faults.expireLeasesNow();
    const { reply } = await client.call('KV/Range', everything);
    expect(reply?.['count']).toBe('0');
  });

  it('dropConnections cuts connections, and the server accepts new ones', async () => {
    const { etcd, client } = await embedded();
    const watch = client.stream('Watch/Watch');
    watch.send({ create_request: everything });
    await watch.next();
    etcd.faults.dropConnections();
    expect((await watch.ended()).code).toBe('UNAVAILABLE');
    expect((await untilAnswered(client, 'KV/Put', { key: bytes('a') })).refusal).toBeUndefined();
  });

  it('compact removes the history before the present or before a revision', async () => {
    const { etcd, client } = await embedded();
    for (const value of ['1', '2', '3']) {
      await client.call('KV/Put', { key: bytes('a'), value: bytes(value) });
    }
    etcd.faults.compact(3);
    const at = (revision: number): Promise<Outcome> =>
      client.call('KV/Range', { key: bytes('a'), revision });
    expect((await at(2)).refusal?.code).toBe('OUT_OF_RANGE');
    expect((await at(3)).refusal).toBeUndefined();
    etcd.faults.compact();
    expect((await at(3)).refusal?.code).toBe('OUT_OF_RANGE');
  });

  it('delayReplies makes replies later', async () => {
    const { etcd, client } = await embedded();
    await client.call('KV/Put', { key: bytes('a') });
    etcd.faults.delayReplies(150);
    const startedMs = performance.now();
    await client.call('KV/Put', { key: bytes('a') });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(149);
    etcd.faults.delayReplies(0);
    expect((await client.call('KV/Put', { key: bytes('a') })).refusal).toBeUndefined();
  });

  // The results without a leader are those of etcd 3.6 with two members, of which one was killed.
  it('noLeader refuses requests that require a leader; other requests wait, and time out', async () => {
    const { etcd, client } = await embedded();
    const hasLeader = metadataOf({ hasleader: 'true' });
    const demanding = client.stream('Watch/Watch', hasLeader);
    const patient = client.stream('Watch/Watch');
    for (const watch of [demanding, patient]) {
      watch.send({ create_request: everything });
      await watch.next();
    }
    etcd.faults.noLeader({ requestTimeoutMs: 50 });
    const noLeader = { code: 'UNAVAILABLE', details: 'etcdserver: no leader' };
    expect(await demanding.ended()).toEqual(noLeader);
    const call = async (path: string, request: object, metadata = metadataOf({})) =>
      (await client.call(path, request, metadata)).refusal;
    expect(await call('KV/Put', { key: bytes('a') }, hasLeader)).toEqual(noLeader);
    const tooLate = { code: 'DEADLINE_EXCEEDED', details: 'context deadline exceeded' };
    expect(await call('KV/Put', { key: bytes('a') })).toEqual(tooLate);
    expect(await call('Lease/LeaseGrant', { TTL: 60 })).toEqual(tooLate);
    const timedOut = { code: 'UNAVAILABLE', details: 'etcdserver: request timed out' };
    expect(await call('KV/Range', everything)).toEqual(timedOut);
    expect(await call('KV/Range', { ...everything, serializable: true })).toBeUndefined();
    const keepAlive = client.stream('Lease/LeaseKeepAlive');
    keepAlive.send({ ID: 1 });
    expect(await keepAlive.ended()).toEqual(noLeader);
    const again = client.stream('Watch/Watch', hasLeader);
    expect(await again.ended()).toEqual(noLeader);

    etcd.faults.noLeader({ requestTimeoutMs: 10_000 });
    const waiting = call('KV/Put', { key: bytes('a') });
    etcd.faults.restoreLeader();
    expect(await waiting).toBeUndefined();
    const { events } = (await patient.next()) as { events: unknown[] };
    expect(events).toHaveLength(1);
  });

  it('noLeader lets no lease end; restoreLeader gives each lease its whole time to live again', async () => {
    const { etcd, client } = await embedded();
    const { reply } = await client.call('Lease/LeaseGrant', { TTL: 2 });
    await client.call('KV/Put', { key: bytes('a'), lease: reply?.['ID'] });
    etcd.faults.noLeader();
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    etcd.faults.restoreLeader();
    const lease = await client.call('Lease/LeaseTimeToLive', { ID: reply?.['ID'] });
    expect(lease.reply?.['TTL']).toBe('1');
  });

  // The refusals are those of etcd 3.6 with authentication on.
  it('rejectAuthTokens makes the server refuse tokens until the client authenticates again', async () => {
    const auth = { username: 'root', password: 'secret' };
    const { etcd, client } = await embedded({ auth });
    const put = async (token?: string) => {
      const metadata = metadataOf(token === undefined ? {} : { token });
      return (await client.call('KV/Put', { key: bytes('a') }, metadata)).refusal;
    };
    const authenticate = async (name: string, password: string) =>
      client.call('Auth/Authenticate', { name, password });
    expect(await put()).toEqual({
      code: 'INVALID_ARGUMENT',
      details: 'etcdserver: user name is empty',
    });
    expect((await authenticate('root', 'wrong')).refusal).toEqual({
      code: 'INVALID_ARGUMENT',
      details: 'etcdserver: authentication failed, invalid user ID or password',
    });
    const token = String((await authenticate('root', 'secret')).reply?.['token']);
    expect(await put(token)).toBeUndefined();
    const keepAlive = client.stream('Lease/LeaseKeepAlive', metadataOf({ token }));
    keepAlive.send({ ID: 1 });
    await keepAlive.next();

    etcd.faults.rejectAuthTokens();
    const refused = { code: 'UNAUTHENTICATED', details: 'etcdserver: invalid auth token' };
    expect(await put(token)).toEqual(refused);
    keepAlive.send({ ID: 1 });
    expect(await keepAlive.ended()).toEqual(refused);
    const watch = client.stream('Watch/Watch', metadataOf({ token }));
    watch.send({ create_request: everything });
    expect(await watch.next()).toMatchObject({
      created: true,
      canceled: true,
      watch_id: '-1',
      cancel_reason: 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
    });
    const fresh = String((await authenticate('root', 'secret')).reply?.['token']);
    expect(await put(fresh)).toBeUndefined();
  });

  it('rejectAuthTokens turns authentication on; before, Authenticate fails with "authentication is not enabled"', async () => {
    const { etcd, client } = await embedded();
    const authenticate = () => client.call('Auth/Authenticate', { name: 'a', password: 'b' });
    expect((await authenticate()).refusal).toEqual({
      code: 'FAILED_PRECONDITION',
      details: 'etcdserver: authentication is not enabled',
    });
    etcd.faults.rejectAuthTokens();
    const { reply } = await authenticate();
    const metadata = metadataOf({ token: String(reply?.['token']) });
    expect((await client.call('KV/Put', { key: bytes('a') }, metadata)).refusal).toBeUndefined();
  });

  it('up() starts the server once, even if up() is called twice, and does not start it if down() is called meanwhile', async () => {
    const { etcd, client } = await embedded();
    await etcd.faults.down();
    await Promise.all([etcd.faults.up(), etcd.faults.up()]);
    expect((await untilAnswered(client, 'KV/Put', { key: bytes('a') })).refusal).toBeUndefined();
    await etcd.faults.down();
    await Promise.all([etcd.faults.up(), etcd.faults.down()]);
    expect(await connects(etcd.port)).toBe(false);
  });

  it('up does not start a server that was stopped', async () => {
    const { etcd } = await embedded();
    await etcd.faults.down();
    const rising = etcd.faults.up();
    await etcd.stop();
    await rising;
    expect(await connects(etcd.port)).toBe(false);
    await expect(etcd.faults.up()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await connects(etcd.port)).toBe(false);
  });

  it('an infinite wait never ends by itself', async () => {
    const { etcd, client } = await embedded({ progressNotifyIntervalMs: Infinity });
    const watch = client.stream('Watch/Watch');
    watch.send({ create_request: { ...everything, progress_notify: true } });
    await watch.next();
    etcd.faults.noLeader({ requestTimeoutMs: Infinity });
    const put = client.call('KV/Put', { key: bytes('a') });
    // A timer whose time is too large for Node fires after one millisecond: 50 ms are enough to see that.
    await new Promise((resolve) => setTimeout(resolve, 50));
    etcd.faults.restoreLeader();
    expect((await put).refusal).toBeUndefined();
    expect(await watch.next()).toMatchObject({ events: [{ type: 0 }] });
  });

  it('an invalid wait, or an invalid revision to compact, is refused', async () => {
    const { etcd } = await embedded();
    for (const wrong of [-1, Number.NaN]) {
      expect(() => etcd.faults.delayReplies(wrong)).toThrow('[INVALID_OPTION] delayMs');
      expect(() => etcd.faults.noLeader({ requestTimeoutMs: wrong })).toThrow(
        `[INVALID_OPTION] requestTimeoutMs is ${wrong}; allowed: a number of milliseconds, 0 or more`,
      );
    }
    expect(() => etcd.faults.compact(2)).toThrow(
      '[INVALID_OPTION] compact: revision 2 is refused (etcdserver: mvcc: required revision is a future revision), the present one is 1',
    );
  });
});

/** Whether a port accepts connections. */
function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTo(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
