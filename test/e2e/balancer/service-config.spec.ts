/** Clients follow the service config that a service publishes in etcd, and the changes of records. */
import { status } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import {
  type ClientDefinition,
  type DiscoveryEvent,
  EtcdRegistry,
  ServiceRegistrar,
} from 'nestjs-grpc-discovery';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startTestEtcd, type TestEtcd } from '../../support/test-etcd.js';
import {
  countByServer,
  loginUntil,
  startUserClient,
  startUserServer,
  type UserClient,
} from '../../support/user-apps.js';

let etcd: TestEtcd;
let admin: Etcd3;
let namespace = '';
let count = 0;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  etcd = await startTestEtcd();
  admin = new Etcd3({ hosts: etcd.hosts });
});
afterAll(async () => {
  admin.close();
  await etcd.stop();
});
beforeEach(() => {
  namespace = `config-${++count}/`;
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function server(id: string, weight = 1, delayMs = 0) {
  const app = await startUserServer({
    id,
    delayMs,
    discovery: { etcd: { hosts: etcd.hosts, namespace }, service: { name: 'api', weight } },
  });
  closers.push(() => app.close());
  return app;
}

async function client(definition: Partial<ClientDefinition> = {}): Promise<UserClient> {
  const started = await startUserClient({ etcd: { hosts: etcd.hosts, namespace } }, definition);
  closers.push(() => started.close());
  return started;
}

const publish = (config: unknown, service = 'api') =>
  admin.put(`${namespace}grpc.service_config/${service}`).value(JSON.stringify(config));

const POLICY = (name: string) => ({ loadBalancingConfig: [{ [name]: {} }] });

/** Makes twelve calls, one after the other; returns whether more than one server answered. */
async function isSpread(users: UserClient): Promise<boolean> {
  return Object.keys(await countByServer(users, 12)).length > 1;
}

it('clients follow a change of weight in a record at once', async () => {
  const a = await server('a');
  await server('b');
  const users = await client({ loadBalancing: 'weighted_round_robin' });
  const seen = new Set<string>();
  await loginUntil(users, (id) => seen.add(id).size === 2);
  expect((await countByServer(users, 40))['a']).toBeGreaterThanOrEqual(19);
  a.get(ServiceRegistrar).update({ weight: 3 });
  await expect.poll(async () => (await countByServer(users, 40))['a']).toBeGreaterThanOrEqual(29);
});

it('a client starts with the published policy, follows changes of the policy, and drops the policy when it is removed', async () => {
  await publish(POLICY('pick_first'));
  await Promise.all([server('a'), server('b')]);
  const users = await client();
  await expect.poll(() => isSpread(users)).toBe(false);
  await publish(POLICY('round_robin'));
  await expect.poll(() => isSpread(users)).toBe(true);
  await publish({ loadBalancingConfig: [{ not_known: {} }, { pick_first: {} }] });
  await expect.poll(() => isSpread(users)).toBe(false);
  await admin.delete().key(`${namespace}grpc.service_config/api`);
  await expect.poll(() => isSpread(users)).toBe(true);
});

it('an explicit option of the client overrides the published policy', async () => {
  await publish(POLICY('pick_first'));
  await Promise.all([server('a'), server('b')]);
  const [chosen, open] = [await client({ loadBalancing: 'round_robin' }), await client()];
  await expect.poll(() => isSpread(open)).toBe(false);
  await expect.poll(() => isSpread(chosen)).toBe(true);
});

it('an invalid config is reported once, and the last valid one stays in use', async () => {
  await publish(POLICY('pick_first'));
  await Promise.all([server('a'), server('b')]);
  const users = await client();
  await expect.poll(() => isSpread(users)).toBe(false);
  await publish({ loadBalancingConfig: 'round_robin' });
  await publish({ methodConfig: 1 }, 'other');
  // When this valid config takes effect, the client has read the invalid one before it.
  await publish({ ...POLICY('pick_first'), methodConfig: [{ name: [{}], timeout: '1s' }] });
  expect(await isSpread(users)).toBe(false);
});

it('a published timeout applies to the methods that the service config names, and not to other services whose names begin alike', async () => {
  await server('slow', 1, 60_000);
  await publish({ methodConfig: [{ name: [{ service: 'user.User' }], timeout: '0.1s' }] });
  await publish({ methodConfig: [{ name: [{}], timeout: '0.001s' }] }, 'ap');
  await publish({ methodConfig: [{ name: [{}], timeout: '0.001s' }] }, 'api2');
  const users = await client();
  // The timeout applies to the first call of the client.
  await expect(users.login()).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
});

it('the registry emits the published service configs, with one watch for all services', async () => {
  const registry = new EtcdRegistry({ hosts: etcd.hosts, namespace });
  const events: DiscoveryEvent[] = [];
  const said: Record<string, (string | undefined)[]> = { api: [], other: [] };
  registry.events$.subscribe((event) => events.push(event));
  const subscriptions = Object.keys(said).map((service) =>
    registry.watchServiceConfig(service).subscribe((text) => said[service]?.push(text)),
  );
  closers.push(async () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
    await registry.close();
  });
  await expect.poll(() => said).toEqual({ api: [undefined], other: [undefined] });
  await publish({ a: 1 });
  await publish({ b: 2 }, 'other');
  await expect
    .poll(() => said)
    .toEqual({ api: [undefined, '{"a":1}'], other: [undefined, '{"b":2}'] });
  await admin.delete().key(`${namespace}grpc.service_config/api`);
  await expect.poll(() => said['api']).toEqual([undefined, '{"a":1}', undefined]);
  expect(events).toEqual([]);
});
