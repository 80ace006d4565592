/**
 * Servers that are alive, but whose records are lost without an announcement: their clients still call them.
 */
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Etcd3 } from 'etcd3';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { DirectoryPool } from '../../../lib/registry/directory/directory-pool.js';
import type { DirectoryState } from '../../../lib/registry/directory/service-directory.js';
import { describeEtcd } from '../../support/describe-etcd.js';
import { EtcdProcess } from '../../support/etcd-process.js';
import {
  startUserClient,
  startUserServer,
  type UserClient,
  userProtoPath,
} from '../../support/user-apps.js';

const { user } = loadPackageDefinition(loadSync(userProtoPath)) as unknown as {
  user: { User: ServiceClientConstructor };
};
const TTL_SECONDS = 3;
const PREFIX = 'api/';

/** Makes calls without a pause, four at a time. */
class Calls {
  readonly answers = new Map<string, number>();
  private readonly failures: string[] = [];
  private readonly running: Promise<unknown>;
  private isOver = false;

  constructor(private readonly client: UserClient) {
    this.running = Promise.all([this.call(), this.call(), this.call(), this.call()]);
  }

  /** Waits until this many further calls were answered, or one has failed. */
  async more(calls: number): Promise<void> {
    const from = this.answered;
    await expect.poll(() => this.failures.length > 0 || this.answered >= from + calls).toBe(true);
  }

  /** Stops calling; returns the errors of failed calls. */
  async stop(): Promise<readonly string[]> {
    this.isOver = true;
    await this.running;
    return this.failures;
  }

  private get answered(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  private async call(): Promise<void> {
    while (!this.isOver) {
      await this.client.login().then(
        ({ server }) => this.answers.set(server, (this.answers.get(server) ?? 0) + 1),
        (error: Error) => this.failures.push(error.message),
      );
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

describeEtcd('servers whose records are lost', (binary) => {
  let etcd: EtcdProcess;
  let writer: Etcd3;
  let namespace = '';
  let tests = 0;
  const closers: (() => unknown)[] = [];

  beforeAll(async () => {
    etcd = await EtcdProcess.start({ binary });
    writer = new Etcd3({ hosts: etcd.hosts });
  });
  afterAll(async () => {
    writer?.close();
    await etcd?.stop();
  });
  beforeEach(() => {
    namespace = `lost-${++tests}/`;
  });
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  const discovery = () => ({ etcd: { hosts: etcd.hosts, namespace } });
  const records = () => writer.getAll().prefix(`${namespace}${PREFIX}`).exec();

  const restored = async (count: number): Promise<void> => {
    while ((await records()).kvs.length < count)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };

  const startServer = async (id: string): Promise<void> => {
    const service = { name: 'api', ttlSeconds: TTL_SECONDS, drainDelayMs: 0 };
    const app = await startUserServer({ id, discovery: { ...discovery(), service } });
    closers.push(() => app.close());
  };

  const startClient = async (): Promise<UserClient> => {
    const client = await startUserClient(discovery());
    closers.push(() => client.close());
    return client;
  };

  /** Waits until the client's list meets the condition. */
  const until = (client: UserClient, isSo: (state: DirectoryState) => boolean) => {
    const lease = client.app.get(DirectoryPool, { strict: false }).acquire('api');
    closers.push(() => lease.release());
    return firstValueFrom(lease.directory.state$.pipe(filter(isSo)));
  };

  const LOSSES: readonly (readonly [string, () => Promise<unknown>])[] = [
    [
      'leases run out',
      async () => {
        const leases = new Set((await records()).kvs.map(({ lease }) => lease));
        await Promise.all([...leases].map((ID) => writer.leaseClient.leaseRevoke({ ID })));
      },
    ],
    [
      'key is deleted by hand',
      async () => {
        const [first] = (await records()).kvs;
        await writer.delete().key(first?.key ?? '');
      },
    ],
    ['prefix is deleted', () => writer.delete().prefix(`${namespace}${PREFIX}`).exec()],
  ];
  const cases = [1, 3].flatMap((count) =>
    LOSSES.map(([what, lose]) => [count, what, lose] as const),
  );

  it.each(cases)('calls to %i servers do not fail when their %s', async (count, _what, lose) => {
    const ids = ['a', 'b', 'c'].slice(0, count);
    await Promise.all(ids.map((id) => startServer(id)));
    const client = await startClient();
    const calls = new Calls(client);
    await expect.poll(() => calls.answers.size).toBe(count);
    await calls.more(50);

    const isShort = ({ endpoints = [], held = [] }: DirectoryState): boolean =>
      endpoints.length - held.length < count;
    const shortened = until(client, isShort);
    await lose();
    // A record that is back before the client has gathered its removal never leaves the list.
    await Promise.race([shortened, restored(count)]);
    await calls.more(50);
    await until(client, (state) => !isShort(state));
    await calls.more(50);
    expect(await calls.stop()).toEqual([]);
    expect((await records()).kvs).toHaveLength(count);
  });

  it('a client calls its only server, whose record was deleted, until the connection ends, and calls no other process that then listens on the port', async () => {
    const first = await startPlainServer();
    const key = `${namespace}${PREFIX}${first.address}`;
    await writer.put(key).value(`{"Op":0,"Addr":"${first.address}","Metadata":null}`);
    const client = await startClient();
    const login = () =>
      client.login().then(
        () => undefined,
        (error: { code: status; details: string }) => error,
      );
    expect(await login()).toBeUndefined();

    const held = until(client, (state) => state.held?.length === 1);
    await writer.delete().key(key);
    await held;
    expect(await login()).toBeUndefined();
    const { calls } = first;

    // Like Go's GracefulStop: it closes the port, sends GOAWAY, and ends the connections when no call is
    // left.
    const released = until(client, ({ endpoints }) => endpoints?.length === 0);
    await first.stop();
    expect(await login()).toMatchObject({ code: status.UNAVAILABLE });
    await released;
    // Another process binds the same port and is in no registry.
    const stranger = await startPlainServer(first.port);
    expect(await login()).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('[NO_ENDPOINTS] service "api" has no endpoint'),
    });
    expect([first.calls, stranger.calls]).toEqual([calls, 0]);
  });

  /** A server that is in no registry. */
  async function startPlainServer(wanted = 0) {
    const server = new Server();
    const plain = {
      calls: 0,
      port: 0,
      address: '',
      stop: () => new Promise<void>((resolve) => server.tryShutdown(() => resolve())),
    };
    server.addService(user.User.service, {
      login: (_call: unknown, answer: (error: null, value: object) => void) => {
        plain.calls++;
        answer(null, { message: 'hi', server: 'plain' });
      },
    });
    plain.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${wanted}`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    plain.address = `127.0.0.1:${plain.port}`;
    closers.push(() => server.forceShutdown());
    return plain;
  }
});
