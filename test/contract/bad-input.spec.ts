/** Requests that are too large, too many or nonsense: how servers answer them, and that they keep running. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedEtcd } from '../../lib/testing/index.js';
import { freePort } from '../support/free-port.js';
import { type Message, RawClient, type RawStream } from './raw-client.js';
import { type RunningTarget, contractTargets } from './targets.js';

const bytes = (text: string): Buffer => Buffer.from(text);
const prefix = (text: string): object => ({
  key: bytes(text),
  range_end: bytes(text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) + 1)),
});

/** Runs a job for each index, 64 jobs at a time. */
async function each(count: number, job: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await job(next++);
  };
  await Promise.all(Array.from({ length: 64 }, worker));
}

/** The watch ids of the next `count` messages, sorted. */
async function watchIds(stream: RawStream, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) ids.push(String((await stream.next())['watch_id']));
  return ids.sort();
}

for (const target of contractTargets()) {
  describe(`bad input to ${target.name}`, () => {
    let server: RunningTarget;
    let client: RawClient;
    beforeAll(async () => {
      server = await target.start();
      client = new RawClient(server.address);
    });
    afterAll(async () => {
      client?.close();
      await server?.stop();
    });

    const isUp = async (): Promise<boolean> => {
      const fresh = new RawClient(server.address);
      const { refusal } = await fresh.call('KV/Put', { key: bytes('up'), value: bytes('1') });
      fresh.close();
      return refusal === undefined;
    };

    it('the server accepts a request of up to 1.5 MiB and refuses a larger one', async () => {
      const put = async (size: number) => {
        const value = Buffer.alloc(size);
        return (await client.call('KV/Put', { key: bytes('big'), value })).refusal;
      };
      const limit = 1.5 * 1024 * 1024;
      const tooLarge = {
        code: 'INVALID_ARGUMENT',
        details: 'etcdserver: request is too large',
      };
      expect(await put(limit - 64)).toBeUndefined();
      expect(await put(limit)).toEqual(tooLarge);
      const value = Buffer.alloc(limit / 2);
      const success = ['a', 'b'].map((key) => ({ request_put: { key: bytes(key), value } }));
      expect((await client.call('KV/Txn', { success })).refusal).toEqual(tooLarge);
    });

    it('the server refuses a value of 10 MB before it reads it', async () => {
      const value = Buffer.alloc(10_000_000);
      const { refusal } = await client.call('KV/Put', { key: bytes('big'), value });
      expect(refusal?.code).toBe('RESOURCE_EXHAUSTED');
      expect(refusal?.details).toMatch(
        /received message larger than max \(1000\d{4} vs\.? 2097152\)/i,
      );
      expect(await isUp()).toBe(true);
    });

    it('the server stores, lists, watches and deletes 10,000 keys', async () => {
      const watch = client.stream('Watch/Watch');
      watch.send({ create_request: prefix('many/') });
      await watch.next();
      await each(100, (batch) => {
        const success = Array.from({ length: 100 }, (_, index) => ({
          request_put: { key: bytes(`many/${batch * 100 + index}`), value: bytes('v') },
        }));
        return client.call('KV/Txn', { success });
      });
      const range = await client.call('KV/Range', prefix('many/'));
      expect(range.reply?.['kvs']).toHaveLength(10_000);
      let events = 0;
      while (events < 10_000) events += ((await watch.next())['events'] as unknown[]).length;
      const deletion = await client.call('KV/DeleteRange', prefix('many/'));
      expect(deletion.reply?.['deleted']).toBe('10000');
      events = 0;
      while (events < 10_000) events += ((await watch.next())['events'] as unknown[]).length;
      expect(events).toBe(10_000);
      watch.cancel();
    });

    it('each of 1,000 watchers on 10 streams gets the events of its own keys', async () => {
      const streams = Array.from({ length: 10 }, () => client.stream('Watch/Watch'));
      const open = async (stream: RawStream, number: number): Promise<void> => {
        for (let index = 0; index < 100; index++) {
          const single = { key: bytes(`w/${number}/${index}`) };
          stream.send({ create_request: index === 0 ? prefix('w/') : single });
          await stream.next();
        }
      };
      await Promise.all(streams.map(open));
      await client.call('KV/Put', { key: bytes('w/3/7') });
      const ids = await Promise.all(streams.map((stream, i) => watchIds(stream, i === 3 ? 2 : 1)));
      expect(ids).toEqual(streams.map((_, index) => (index === 3 ? ['0', '7'] : ['0'])));
      for (const stream of streams) stream.cancel();
      expect(await isUp()).toBe(true);
    });

    it('bytes that are no HTTP/2 end only their own connection', async () => {
      const [host, port] = server.address.split(':');
      for (const garbage of [
        '\0\0\0\0 nonsense \xff\xff\xff',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxyz',
      ]) {
        const socket: Socket = connect(Number(port), host);
        socket.on('error', () => undefined);
        const closed = once(socket, 'close');
        await once(socket, 'connect');
        socket.write(garbage.repeat(100), 'latin1');
        socket.end();
        socket.resume();
        await closed;
      }
      expect(await isUp()).toBe(true);
    });

    it('the server keeps running after watch streams that broke off', async () => {
      const torn = new RawClient(server.address);
      for (let index = 0; index < 50; index++) {
        const watch = torn.stream('Watch/Watch');
        watch.send({ create_request: prefix('w/') });
        await watch.next();
        if (index % 2 === 0) watch.cancel();
      }
      torn.close();
      expect(await isUp()).toBe(true);
    });

    it('the server answers an unknown method with UNIMPLEMENTED', async () => {
      const { refusal } = await client.callPath('/etcdserverpb.KV/Nothing', Buffer.from([]));
      expect(refusal?.code).toBe('UNIMPLEMENTED');
    });
  });
}

describe('the embedded server', () => {
  it('does not start on a port that is taken or does not exist', async () => {
    const port = await freePort();
    const first = await EmbeddedEtcd.start({ port });
    await expect(EmbeddedEtcd.start({ port })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: `[INVALID_OPTION] port: 127.0.0.1:${port} is taken by another process, the embedded etcd was not started; 0 takes any free port`,
    });
    await first.stop();
    const second = await EmbeddedEtcd.start({ port });
    expect(second.hosts).toEqual([`http://127.0.0.1:${port}`]);
    await second.stop();
    await second.stop();
    for (const wrong of [-1, 65_536, 1.5]) {
      await expect(EmbeddedEtcd.start({ port: wrong })).rejects.toThrow('[INVALID_OPTION] port');
    }
  });

  it('names itself and the method in its answer to a method that it does not serve', async () => {
    const etcd = await EmbeddedEtcd.start();
    const client = new RawClient(`127.0.0.1:${etcd.port}`);
    const unserved = async (path: string): Promise<unknown> =>
      (await client.call(path, {})).refusal;
    for (const path of ['Cluster/MemberAdd', 'Maintenance/Defragment', 'Auth/UserAdd']) {
      expect(await unserved(path)).toEqual({
        code: 'UNIMPLEMENTED',
        details: `${path.replace('/', '.')} is not served by this embedded etcd, which is for development and tests only (nestjs-grpc-discovery/testing): use a real etcd for it`,
      });
    }
    client.close();
    await etcd.stop();
  });

  it('keeps keys, history and leases from one run to the next in its data file', async () => {
    const dataFile = temporaryFile();
    const first = await EmbeddedEtcd.start({ dataFile });
    let client = new RawClient(`127.0.0.1:${first.port}`);
    const grant = await client.call('Lease/LeaseGrant', { TTL: 60 });
    const ID = grant.reply?.['ID'];
    await client.call('KV/Put', { key: bytes('a'), value: Buffer.from([0, 255]), lease: ID });
    await client.call('KV/Put', { key: bytes('b'), value: bytes('1') });
    await client.call('KV/DeleteRange', { key: bytes('b') });
    const before = await client.call('KV/Range', prefix('a'));
    client.close();
    await first.stop();

    const second = await EmbeddedEtcd.start({ dataFile });
    client = new RawClient(`127.0.0.1:${second.port}`);
    expect(await client.call('KV/Range', prefix('a'))).toEqual(before);
    const watch = client.stream('Watch/Watch');
    watch.send({ create_request: { ...prefix('b'), start_revision: 3 } });
    await watch.next();
    expect(((await watch.next())['events'] as Message[]).map(({ type }) => type)).toEqual([0, 1]);
    const lease = await client.call('Lease/LeaseTimeToLive', { ID, keys: true });
    expect(lease.reply?.['keys']).toEqual([bytes('a')]);
    expect(second.faults.revokeLease('a')).toBe(true);
    watch.cancel();
    client.close();
    await second.stop();
    rmSync(dataFile);
  });

  it('does not start with a data file that is not in its own format', async () => {
    const dataFile = temporaryFile();
    const sound = {
      format: 1,
      clusterId: '1',
      memberId: '2',
      leases: [],
      revision: 1,
      compactRevision: -1,
      versions: [],
    };
    const unsound = [
      { leases: 5 },
      { leases: [{ id: 7, ttlSeconds: 5 }] },
      { leases: [{ id: '7', ttlSeconds: 'long' }] },
      { leases: [1, 2].map(() => ({ id: '7', ttlSeconds: 5 })) },
      { revision: '1' },
      { versions: [['YQ==', 'YQ==', 1]] },
      { versions: [null] },
      { clusterId: null },
    ].map((fields) => JSON.stringify({ ...sound, ...fields }));
    for (const text of ['', 'no JSON', 'null', '{}', '{"format":99}', ...unsound]) {
      writeFileSync(dataFile, text);
      await expect(EmbeddedEtcd.start({ dataFile })).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(`dataFile: ${dataFile} cannot be used`) as string,
      });
    }
    writeFileSync(dataFile, JSON.stringify(sound));
    await (await EmbeddedEtcd.start({ dataFile })).stop();
    rmSync(dataFile);
  });

  it('does not start with a data file in a missing folder, because its data would be lost when it stops', async () => {
    const dataFile = join(temporaryFile(), 'data.json');
    await expect(EmbeddedEtcd.start({ dataFile })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(`dataFile: ${dataFile} cannot be used (ENOENT`) as string,
    });
  });

  it('rejects its stop if the data file can no longer be written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'embedded-etcd-'));
    const etcd = await EmbeddedEtcd.start({ dataFile: join(folder, 'data.json') });
    rmSync(folder, { recursive: true });
    await expect(etcd.stop()).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('what the embedded etcd held is lost') as string,
    });
  });

  it('does not start with an invalid interval', async () => {
    for (const progressNotifyIntervalMs of [0, -1, Number.NaN]) {
      await expect(EmbeddedEtcd.start({ progressNotifyIntervalMs })).rejects.toThrow(
        `[INVALID_OPTION] progressNotifyIntervalMs is ${progressNotifyIntervalMs}; allowed: a number`,
      );
    }
  });
});

function temporaryFile(): string {
  return join(tmpdir(), `embedded-etcd-${process.pid}-${Date.now()}.json`);
}
