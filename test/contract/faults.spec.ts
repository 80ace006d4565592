/** What a client sees when a server freezes, dies or loses its data, embedded server and real etcd alike. */
import { Metadata } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Message, type Outcome, RawClient } from './raw-client.js';
import { type RunningTarget, contractTargets } from './targets.js';

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

function revisionOf({ reply }: Outcome): number {
  return Number((reply?.['header'] as Message | undefined)?.['revision']);
}

for (const target of contractTargets()) {
  describe(`faults: ${target.name}`, () => {
    let server: RunningTarget;
    let client: RawClient;
    beforeAll(async () => {
      server = await target.start();
    });
    afterAll(() => server?.stop());
    beforeEach(() => {
      client = connect(server.address);
    });

    it('a frozen server accepts connections and answers nothing; when it runs again, it answers all requests', async () => {
      await client.call('KV/Put', { key: bytes('a') });
      server.pause();
      const held = client.call('KV/Put', { key: bytes('b') });
      const late = connect(server.address);
      const { refusal } = await late.call('KV/Put', { key: bytes('c') }, undefined, 300);
      expect(refusal?.code).toBe('DEADLINE_EXCEEDED');
      server.resume();
      expect((await held).refusal).toBeUndefined();
      const { reply } = await late.call('KV/Range', { key: bytes('b') });
      expect(reply?.['count']).toBe('1');
    });

    it('a server that was frozen beyond the end of a lease removes its key when it runs again', async () => {
      const { reply } = await client.call('Lease/LeaseGrant', { TTL: 2 });
      await client.call('KV/Put', { key: bytes('a'), lease: reply?.['ID'] });
      const watch = client.stream('Watch/Watch');
      watch.send({ create_request: everything });
      await watch.next();
      server.pause();
      await new Promise((resolve) => setTimeout(resolve, 2_600));
      expect(watch.untaken).toBe(0);
      server.resume();
      const { events } = (await watch.next()) as { events: { type: number }[] };
      expect(events.map(({ type }) => type)).toEqual([1]);
      watch.cancel();
    });

    it('a server that was killed and started again has its keys and leases; its watches have ended', async () => {
      const { reply } = await client.call('Lease/LeaseGrant', { TTL: 60 });
      const put = await client.call('KV/Put', { key: bytes('a'), lease: reply?.['ID'] });
      const watch = client.stream('Watch/Watch');
      watch.send({ create_request: everything });
      await watch.next();
      await server.down();
      expect((await watch.ended()).code).toBe('UNAVAILABLE');
      const refused = await client.call('KV/Range', { key: bytes('a') }, undefined, 1_000);
      expect(refused.refusal?.code).toBe('UNAVAILABLE');
      await server.up();
      const range = await untilAnswered(client, 'KV/Range', { key: bytes('a') });
      expect(range.reply?.['count']).toBe('1');
      expect(revisionOf(range)).toBe(revisionOf(put));
      const lease = await client.call('Lease/LeaseTimeToLive', { ID: reply?.['ID'], keys: true });
      expect(lease.reply?.['keys']).toEqual([bytes('a')]);
    });

    it('a wiped server starts at revision 1 as another cluster, without the lease', async () => {
      const before = await client.call('Lease/LeaseGrant', { TTL: 60 });
      const ID = before.reply?.['ID'];
      await client.call('KV/Put', { key: bytes('a'), lease: ID });
      await server.wipe();
      client = connect(server.address);
      const after = await untilAnswered(client, 'KV/Range', { key: bytes('a') });
      expect([after.reply?.['count'], revisionOf(after)]).toEqual(['0', 1]);
      const ttl = await client.call('Lease/LeaseTimeToLive', { ID });
      expect(ttl.reply?.['TTL']).toBe('-1');
      const put = await client.call('KV/Put', { key: bytes('a'), lease: ID });
      expect(put.refusal?.details).toBe('etcdserver: requested lease not found');
    });
  });
}
