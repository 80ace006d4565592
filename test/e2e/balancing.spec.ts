/** Calls rotate over all live servers, and follow the changes of the list. */
import { ServiceRegistrar } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startTestEtcd, type TestEtcd } from '../support/test-etcd.js';
import {
  countByServer,
  loginUntil,
  startUserClient,
  startUserServer,
  type UserClient,
} from '../support/user-apps.js';

let etcd: TestEtcd;
const closers: (() => Promise<unknown>)[] = [];
let namespace = '';
let count = 0;

beforeAll(async () => {
  etcd = await startTestEtcd();
});
afterAll(() => etcd.stop());
beforeEach(() => {
  namespace = `test-${++count}/`;
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const registry = () => ({ etcd: { hosts: etcd.hosts, namespace } });

async function server(id: string, service = 'api') {
  const app = await startUserServer({
    id,
    discovery: { ...registry(), service: { name: service } },
  });
  closers.push(() => app.close());
  // On a busy machine `listen` resolves without the record after a time limit.
  const { status$ } = app.get(ServiceRegistrar, { strict: false });
  await firstValueFrom(status$.pipe(filter(({ state }) => state === 'registered')));
  return app;
}

async function client(definition: Parameters<typeof startUserClient>[1] = {}): Promise<UserClient> {
  const started = await startUserClient(registry(), definition);
  closers.push(() => started.close());
  return started;
}

it('each of three servers gets 100 of 300 calls', async () => {
  await Promise.all(['a', 'b', 'c'].map((id) => server(id)));
  const users = await client();
  const seen = new Set<string>();
  await loginUntil(users, (id) => seen.add(id).size === 3);
  const counts = await countByServer(users, 300);
  for (const id of ['a', 'b', 'c']) {
    expect(counts[id]).toBeGreaterThanOrEqual(99);
    expect(counts[id]).toBeLessThanOrEqual(101);
  }
});

it('a server that joins gets calls, and a server that leaves gets none', async () => {
  await server('a');
  const users = await client();
  await loginUntil(users, (id) => id === 'a');
  const b = await server('b');
  await loginUntil(users, (id) => id === 'b');
  await b.close();
  expect(await countByServer(users, 20)).toEqual({ a: 20 });
});

it('clients of api never get servers of api2, nor the other way round', async () => {
  await Promise.all([server('one', 'api'), server('two', 'api2')]);
  const [one, two] = [await client(), await client({ name: 'api2' })];
  expect(await countByServer(one, 10)).toEqual({ one: 10 });
  expect(await countByServer(two, 10)).toEqual({ two: 10 });
});

it('namespaces keep fleets apart', async () => {
  await server('here');
  const users = await client();
  expect(await countByServer(users, 5)).toEqual({ here: 5 });
  const elsewhere = await startUserClient({ etcd: { hosts: etcd.hosts, namespace: 'other/' } });
  closers.push(() => elsewhere.close());
  await expect(elsewhere.login()).rejects.toThrow(/"other\/api\/"/);
});

it('the names of a client and of its service may differ, and pick_first stays with one server', async () => {
  await Promise.all([server('a'), server('b')]);
  const users = await client({ name: 'users', service: 'api', loadBalancing: 'pick_first' });
  const counts = await countByServer(users, 10);
  expect(Object.values(counts)).toEqual([10]);
});

it('without any server a call fails at once, and the error says where no server was found', async () => {
  const users = await client({ name: 'nobody' });
  await expect(users.login()).rejects.toMatchObject({
    code: 14,
    details: expect.stringMatching(
      /\[NO_ENDPOINTS\] service "nobody" has no endpoint in etcd prefix "test-\d+\/nobody\/"/,
    ),
  });
  await server('late', 'nobody');
  await expect
    .poll(() =>
      users.login().then(
        ({ server: id }) => id,
        () => undefined,
      ),
    )
    .toBe('late');
});

it('while etcd is away a call fails at once, and the error contains the reason', async () => {
  const users = await startUserClient({
    etcd: { hosts: ['http://127.0.0.1:1'], requestTimeoutMs: 200 },
  });
  closers.push(() => users.close());
  await expect(users.login()).rejects.toMatchObject({
    code: 14,
    details: expect.stringMatching(
      /service "api" cannot be resolved from etcd prefix "api\/": \[REGISTRY_UNAVAILABLE\]/,
    ),
  });
});

it('timeoutMs is the deadline of a call that sets none', async () => {
  const slow = await startUserServer({
    delayMs: 30_000,
    discovery: { ...registry(), service: { name: 'api' } },
  });
  closers.push(() => slow.close());
  const users = await client({ timeoutMs: 100 });
  await expect(users.login()).rejects.toMatchObject({ code: 4 });
});
