/** Every policy over real sockets, by name and with options. */
import { status } from '@grpc/grpc-js';
import {
  type Candidate,
  type Picker,
  type Pool,
  registerLoadBalancingPolicy,
} from 'nestjs-grpc-discovery';
import { lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fleet } from './fleet.js';

const THREE = { a: {}, b: {}, c: {} };
let fleet: Fleet;

beforeEach(() => {
  fleet = new Fleet();
});
afterEach(() => fleet.close());

/** A client that is connected to all three servers. */
async function connected(
  loadBalancing: NonNullable<Parameters<Fleet['client']>[0]>['loadBalancing'],
) {
  const client = await fleet.client(loadBalancing === undefined ? {} : { loadBalancing });
  await client.until((_, answers) => answers.size === 3);
  return client;
}

it.each(['round_robin', { policy: 'round_robin' }, undefined])(
  '%j rotates exactly',
  async (loadBalancing) => {
    await fleet.start(THREE);
    expect(await (await connected(loadBalancing)).spread(300)).toEqual({ a: 100, b: 100, c: 100 });
  },
);

it.each(['weighted_round_robin', { policy: 'weighted_round_robin' }])(
  '%j distributes calls by the weights in the records',
  async (loadBalancing) => {
    await fleet.start({ a: { weight: 1 }, b: { weight: 2 }, c: { weight: 3 } });
    const counts = await (await connected(loadBalancing)).spread(600);
    for (const [id, share] of Object.entries({ a: 100, b: 200, c: 300 })) {
      expect(Math.abs((counts[id] ?? 0) - share)).toBeLessThanOrEqual(2);
    }
  },
);

// 300 draws of 1/3 have a standard deviation of 8.2; 50 is six of them.
it.each([
  'random',
  'least_request',
  { policy: 'random' },
  { policy: 'peak_ewma', decayMs: 10 },
] as const)('%j uses all endpoints', async (loadBalancing) => {
  await fleet.start(THREE);
  const counts = await (await connected(loadBalancing)).spread(300);
  // peak_ewma prefers the server that happens to answer faster: it must use all servers, not evenly.
  const isPeakEwma = typeof loadBalancing === 'object' && loadBalancing.policy === 'peak_ewma';
  const least = isPeakEwma ? 1 : 50;
  for (const id of Object.keys(THREE)) expect(counts[id]).toBeGreaterThanOrEqual(least);
});

it('pick_first stays with one server, and uses another when that server dies', async () => {
  const servers = await fleet.start(THREE);
  const client = await fleet.client({ loadBalancing: { policy: 'pick_first' } });
  const first = await client.call();
  expect(await client.spread(20)).toEqual({ [first]: 20 });
  servers.find(({ id }) => id === first)?.stop();
  await client.until((server) => server !== first && server in THREE);
  const next = await client.call();
  expect(await client.spread(20)).toEqual({ [next]: 20 });
});

// peak_ewma does so only after a longer silence; the simulations in test/unit/balance show that.
it.each([{ policy: 'least_request' }])(
  'while other servers are free, %j sends no call to a server that does not answer',
  async (loadBalancing) => {
    const [a, b] = await fleet.start({ a: {}, b: {} });
    const client = await fleet.client({ loadBalancing });
    await client.until((_, answers) => answers.size === 2);
    if (a === undefined || b === undefined) throw new Error('no servers');
    a.held = [];
    // The servers look alike to the client until one call hangs at this one.
    const { held } = a;
    const hangs = async () => {
      while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    const hung = hangs();
    const calls: Promise<unknown>[] = [];
    while (held.length === 0) {
      const call = client.call();
      calls.push(call);
      await Promise.race([call, hung]);
    }
    expect(await client.spread(100)).toEqual({ b: 100 });
    for (const answer of held.splice(0)) answer();
    a.held = undefined;
    await Promise.all(calls);
  },
);

it('least_request counts an open stream as load', async () => {
  const servers = await fleet.start({ a: {}, b: {} });
  const client = await fleet.client({ loadBalancing: 'least_request' });
  await client.until((_, answers) => answers.size === 2);
  const open = lastValueFrom(client.users.watch({ name: 'x', password: '' }));
  await expect.poll(() => servers.filter(({ streams }) => streams.size > 0).length).toBe(1);
  const busy = servers.find(({ streams }) => streams.size > 0);
  const other = servers.find((server) => server !== busy);
  expect(await client.spread(50)).toEqual({ [other?.id ?? '']: 50 });
  for (const stream of busy?.streams ?? []) stream.end();
  await open;
  await client.until((server) => server === busy?.id);
});

it('peak_ewma does not count the duration of a stream as latency', async () => {
  const servers = await fleet.start({ a: {}, b: {} });
  const client = await fleet.client({ loadBalancing: { policy: 'peak_ewma', decayMs: 10 } });
  await client.until((_, answers) => answers.size === 2);
  for (let round = 0; round < 20; round++) {
    const stream = lastValueFrom(client.users.watch({ name: 'x', password: '' }));
    await expect.poll(() => servers.some(({ streams }) => streams.size > 0)).toBe(true);
    for (const { streams } of servers) for (const call of streams) call.end();
    await stream;
  }
  await client.until((_, answers) => answers.size === 2);
});

it('consistent_hash chooses the server by a metadata key', async () => {
  await fleet.start(THREE);
  const client = await fleet.client({
    loadBalancing: { policy: 'consistent_hash', hashKey: 'x-user' },
  });
  await client.until((_, answers) => answers.size === 3);
  const places = new Set<string>();
  for (let key = 0; key < 20; key++) {
    const headers = { 'x-user': `user ${key}` };
    const place = await client.call('x', headers);
    places.add(place);
    for (let again = 0; again < 3; again++) expect(await client.call('x', headers)).toBe(place);
  }
  expect(places.size).toBe(3);
});

it('consistent_hash chooses by a function of the request, and servers do not see the hash key', async () => {
  const servers = await fleet.start(THREE);
  const client = await fleet.client({
    loadBalancing: {
      policy: 'consistent_hash',
      hashKey: (request) => (request as { name: string }).name,
    },
  });
  const names = Array.from({ length: 20 }, (_, at) => `张三 ${at}`);
  const home = new Map<string, string>();
  await client.until((_, answers) => answers.size >= 1);
  // Keys move to other servers while connections are still being made; after that they stay.
  await expect
    .poll(async () => {
      for (const name of names) home.set(name, await client.call(name));
      return new Set(home.values()).size;
    })
    .toBe(3);
  for (const name of names) home.set(name, await client.call(name));
  for (const name of names) expect(await client.call(name)).toBe(home.get(name));
  const keys = servers.flatMap(({ seen }) =>
    seen.flatMap((metadata) => Object.keys(metadata.getMap())),
  );
  expect(keys.filter((key) => key.includes('hash'))).toEqual([]);
});

it('consistent_hash: a server that joins takes some keys, and all other keys stay', async () => {
  const servers = await fleet.start(THREE);
  const client = await fleet.client({
    loadBalancing: { policy: 'consistent_hash', hashKey: 'x-user' },
  });
  await client.until((_, answers) => answers.size === 3);
  const keys = Array.from({ length: 100 }, (_, at) => ({ 'x-user': `${at}` }));
  const before = await Promise.all(keys.map((headers) => client.call('x', headers)));
  const [d] = await new Fleet().start({ d: {} });
  if (d === undefined) throw new Error('no server');
  fleet.list([...servers, d]);
  await client.until((server) => server === 'd');
  const after = await Promise.all(keys.map((headers) => client.call('x', headers)));
  const moved = keys.filter((_, at) => after[at] !== before[at]);
  expect(moved.length).toBeGreaterThan(0);
  // A quarter of 100 keys, and six standard deviations of 4.3 more.
  expect(moved.length).toBeLessThan(51);
  expect(after.filter((server, at) => server !== before[at] && server !== 'd')).toEqual([]);
});

it('a policy of the user can be registered and used by its name', async () => {
  registerLoadBalancingPolicy('by_zone_letter', <C extends Candidate>(pool: Pool<C>): Picker<C> => {
    const sorted = pool.candidates.toSorted((x, y) => (x.zone ?? '').localeCompare(y.zone ?? ''));
    return {
      pick: (request) => sorted[request.header('x-last') === 'yes' ? sorted.length - 1 : 0]!,
    };
  });
  await fleet.start({ a: { zone: 'z' }, b: { zone: 'y' }, c: { zone: 'x' } });
  const client = await fleet.client({ loadBalancing: { policy: 'by_zone_letter' } });
  await client.until((server) => server === 'c');
  expect(await client.spread(10)).toEqual({ c: 10 });
  expect(await client.call('x', { 'x-last': 'yes' })).toBe('a');
});

it('a policy of the user works with modifiers', async () => {
  registerLoadBalancingPolicy('first_listed', (pool) => ({ pick: () => pool.candidates[0]! }));
  await fleet.start({ a: { version: '1' }, b: { version: '2' } });
  const client = await fleet.client({
    loadBalancing: { policy: 'first_listed', routing: { match: { version: '2' } } },
  });
  expect(await client.spread(5)).toEqual({ b: 5 });
});

it('an unknown policy fails the start, and the error names the known policies', async () => {
  await expect(fleet.client({ loadBalancing: 'fastest' })).rejects.toThrow(
    /"fastest"; allowed: round_robin, .*peak_ewma/,
  );
});

it('an empty list fails calls at once, under every policy', async () => {
  for (const policy of ['round_robin', 'peak_ewma', 'pick_first'] as const) {
    const client = await fleet.client({
      name: `api-${policy}`,
      service: 'nobody',
      loadBalancing: policy,
    });
    expect(await client.spread(1)).toEqual({ [status[status.UNAVAILABLE]]: 1 });
  }
});
