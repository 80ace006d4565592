/** The modifiers, which work with every policy, over real sockets. */
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fleet, TestServer } from './fleet.js';

let fleet: Fleet;

beforeEach(() => {
  fleet = new Fleet();
});
afterEach(() => fleet.close());

it('locality: clients call servers of their own zone while these can take the calls, and the excess goes to other zones', async () => {
  const [one, two] = await fleet.start({
    one: { zone: 'here' },
    two: { zone: 'here' },
    three: { zone: 'there' },
    four: { zone: 'there' },
  });
  const client = await fleet.client({ loadBalancing: { locality: { zone: 'here' } } });
  await client.until((_, answers) => answers.has('one') && answers.has('two'));
  expect(await client.spread(40)).toEqual({ one: 20, two: 20 });
  one?.stop();
  // One of the zone's two servers is left: it takes 1.4 × 1/2 of the calls, so 30 % go to other zones.
  await client.until((_, answers) => answers.has('three') && answers.has('four'));
  const counts = await client.spread(200);
  expect(counts['two']).toBeGreaterThanOrEqual(139);
  expect(counts['two']).toBeLessThanOrEqual(141);
  two?.stop();
  await client.until((server) => server === 'three');
  await expect.poll(() => client.spread(20)).toEqual({ three: 10, four: 10 });
});

it('locality: with only the option zone, a client calls the servers of that zone', async () => {
  await fleet.start({ one: { zone: 'here' }, two: { zone: 'there' } });
  const client = await fleet.client({ zone: 'there' });
  await client.until((server) => server === 'two');
  await expect.poll(() => client.spread(10)).toEqual({ two: 10 });
});

it('slow start: a server that joins gets few calls at first', async () => {
  const [a] = await fleet.start({ a: {} });
  const client = await fleet.client({
    loadBalancing: { slowStart: { windowMs: 3_600_000, minWeight: 0.000_001 } },
  });
  await client.until((server) => server === 'a');
  const b = await new TestServer('b', {}).start();
  if (a === undefined) throw new Error('no server');
  fleet.list([a, b]);
  await client.until((server) => server === 'b');
  const counts = await client.spread(110);
  // The share is in proportion to the age, and the first of 20 steps of the window is three minutes long.
  expect(counts['a'] ?? 0).toBeGreaterThan(counts['b'] ?? 0);
});

it('outlier ejection: a failing server of two is ejected after five failures, and no call waits for it', async () => {
  const [a] = await fleet.start({ a: {}, b: {} });
  const client = await fleet.client({ loadBalancing: { outlierDetection: true } });
  await client.until((_, answers) => answers.size === 2);
  if (a === undefined) throw new Error('no server');
  a.code = status.INTERNAL;
  const counts = await client.spread(100);
  expect(counts).toEqual({ b: 95, INTERNAL: 5 });
});

it('outlier ejection: a server that has recovered gets calls again', async () => {
  const [a] = await fleet.start({ a: {}, b: {} });
  const client = await fleet.client({
    loadBalancing: {
      policy: 'least_request',
      outlierDetection: { baseEjectionMs: 10, intervalMs: 10 },
    },
  });
  await client.until((_, answers) => answers.size === 2);
  if (a === undefined) throw new Error('no server');
  a.code = status.INTERNAL;
  await client.until((answer) => answer === 'INTERNAL');
  a.code = status.OK;
  await client.until((answer) => answer === 'a');
  const counts = await client.spread(40);
  expect(Object.keys(counts).sort()).toEqual(['a', 'b']);
});

it('outlier ejection: an error that all servers share ejects no server', async () => {
  const servers = await fleet.start({ a: {}, b: {} });
  const client = await fleet.client({ loadBalancing: { outlierDetection: true } });
  await client.until((_, answers) => answers.size === 2);
  for (const server of servers) server.code = status.INTERNAL;
  await client.spread(40);
  const [before] = [servers.map(({ calls }) => calls)];
  await client.spread(40);
  for (const [at, { calls }] of servers.entries()) {
    expect(calls - (before?.[at] ?? 0)).toBe(20);
  }
});

it('subset: a client uses subsetSize endpoints, and a new one when one of them leaves', async () => {
  const records = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`s${at}`, {}]));
  const servers = await fleet.start(records);
  const client = await fleet.client({ subsetSize: 3 });
  await client.until((_, answers) => answers.size === 3);
  const used = Object.keys(await client.spread(90));
  expect(used).toHaveLength(3);
  fleet.list(servers.filter(({ id }) => id !== used[0]));
  await client.until((server) => !used.includes(server));
  const now = Object.keys(await client.spread(90));
  expect(now).toHaveLength(3);
  expect(now.filter((id) => used.includes(id)).sort()).toEqual(used.slice(1).sort());
});

it('routing: only servers of the matching version get calls; if there are none, the error says so', async () => {
  await fleet.start({ a: { version: '1' }, b: { version: '2' } });
  const two = await fleet.client({ loadBalancing: { routing: { match: { version: '2' } } } });
  expect(await two.spread(10)).toEqual({ b: 10 });
  const nine = await fleet.client({ loadBalancing: { routing: { match: { version: '9' } } } });
  await expect(nine.call()).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringMatching(/matches the client's routing/),
  });
});

it('canary: calls go to the canary by share and by header', async () => {
  await fleet.start({ a: { version: '1' }, b: { version: '2' } });
  const client = await fleet.client({
    loadBalancing: {
      routing: {
        canary: { match: { version: '2' }, share: 0.1, header: { name: 'x-canary', value: 'yes' } },
      },
    },
  });
  await client.until((_, answers) => answers.size === 2);
  const counts = await client.spread(1_000);
  // 1,000 draws of 0.1: a standard deviation of 9.5, six of them 57.
  expect(counts['b']).toBeGreaterThan(43);
  expect(counts['b']).toBeLessThan(157);
  for (let call = 0; call < 10; call++) {
    expect(await client.call('x', { 'x-canary': 'yes' })).toBe('b');
  }
});

it('health: a server whose health service answers NOT_SERVING gets no calls until it serves', async () => {
  const [a] = await fleet.start({ a: {}, b: {} });
  const client = await fleet.client({ loadBalancing: { healthCheck: true } });
  await client.until((_, answers) => answers.size === 2);
  a?.health.setStatus('', 'NOT_SERVING');
  await expect.poll(() => client.spread(10)).toEqual({ b: 10 });
  a?.health.setStatus('', 'SERVING');
  await client.until((server) => server === 'a');
});

it('health: if no server serves, calls fail at once with the answers of the servers', async () => {
  const servers = await fleet.start({ a: {}, b: {} });
  for (const { health } of servers) health.setStatus('', 'NOT_SERVING');
  const client = await fleet.client({ loadBalancing: { healthCheck: true } });
  await expect(client.call()).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringMatching(/health status is 2/),
  });
});

it('health: a client can ask a server for the health of one service, by its name', async () => {
  const [a, b] = await fleet.start({ a: {}, b: {} });
  a?.health.setStatus('user.User', 'NOT_SERVING');
  b?.health.setStatus('user.User', 'SERVING');
  const client = await fleet.client({ loadBalancing: { healthCheck: 'user.User' } });
  expect(await client.spread(10)).toEqual({ b: 10 });
});
