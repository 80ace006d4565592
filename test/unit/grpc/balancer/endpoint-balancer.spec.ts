/**
 * The balancer on fake connections: which it keeps, which it closes, and what it publishes to the channel.
 */
import { connectivityState, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { PickResultType } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { registerLoadBalancingPolicy } from '../../../../lib/grpc/balancer/policies.js';
import {
  addresses,
  addressOf,
  endpoint,
  FakeChannel,
  settingsOf,
  settled,
} from '../fake-channel.js';

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;
const [A, B, C] = addresses(3) as [string, string, string];

async function ready(...listed: string[]): Promise<FakeChannel> {
  const channel = new FakeChannel();
  channel.list(listed);
  await channel.connect(...listed);
  return channel;
}

/** Makes calls until one goes to this address; that call takes a second. */
function slowCall(channel: FakeChannel, address: string): void {
  for (;;) {
    const result = channel.pick();
    result.onCallStarted?.();
    const isWanted = addressOf(result) === address;
    if (isWanted) channel.clock.advance(1_000);
    result.onCallEnded?.(0, '', new Metadata());
    if (isWanted) return;
  }
}

it('the balancer refuses a configuration of another policy', () => {
  const channel = new FakeChannel();
  const foreign = { getLoadBalancerName: () => 'round_robin', toJsonObject: () => ({}) };
  expect(channel.balancer.updateAddressList({ ok: true, value: [] }, foreign, {}, '')).toBe(false);
});

it('the balancer connects to all endpoints of a small list, and calls wait for the first connection', () => {
  const channel = new FakeChannel();
  channel.list([A, B, C]);
  expect(channel.subchannels.map(({ address }) => address).sort()).toEqual([A, B, C]);
  expect(channel.state).toBe(CONNECTING);
  expect(channel.pick().pickResultType).toBe(PickResultType.QUEUE);
});

it('the balancer sends calls as soon as one endpoint is ready, and rotates exactly over all ready ones', async () => {
  const channel = new FakeChannel();
  channel.list([A, B, C]);
  await channel.connect(B);
  expect(channel.spread(10)).toEqual({ [B]: 10 });
  await channel.connect(A, C);
  expect(channel.spread(30)).toEqual({ [A]: 10, [B]: 10, [C]: 10 });
});

it('the balancer publishes a picker at once for the first endpoint that becomes ready in a turn, and one more for all others of that turn', async () => {
  const channel = new FakeChannel();
  const list = addresses(16);
  channel.list(list);
  const before = channel.states.length;
  const [first = '', ...others] = list;
  await settled();
  channel.to(first).become(READY);
  expect(channel.spread(2)).toEqual({ [first]: 2 });
  await channel.connect(...others);
  expect(channel.states.length - before).toBe(2);
});

it('the balancer makes one picker for many connections that are lost in one turn', async () => {
  const list = addresses(16);
  const channel = await ready(...list);
  const before = channel.states.length;
  for (const address of list.slice(1)) channel.to(address).become(IDLE);
  await settled();
  expect(channel.states.length - before).toBeLessThanOrEqual(2);
  expect(channel.spread(4)).toEqual({ [list[0] ?? '']: 4 });
});

it('the old picker sends no call to an endpoint that is not ready any more', async () => {
  const channel = await ready(A, B, C);
  channel.to(B).become(IDLE);
  const counts = channel.spread(20);
  expect(counts[B]).toBeUndefined();
  channel.to(A).become(IDLE);
  channel.to(C).become(IDLE);
  expect(channel.pick().pickResultType).toBe(PickResultType.QUEUE);
});

it('a new list keeps the connections of endpoints that stay, closes those of endpoints that left, and makes those of new endpoints', async () => {
  const channel = await ready(A, B);
  const [a, b] = [channel.to(A), channel.to(B)];
  channel.list([B, C]);
  expect(channel.to(B)).toBe(b);
  expect(b.refs).toBe(1);
  expect(a.refs).toBe(0);
  expect(a.listenerCount).toBe(0);
  expect(channel.spread(4)).toEqual({ [B]: 4 });
  await channel.connect(C);
  expect(channel.spread(4)).toEqual({ [B]: 2, [C]: 2 });
});

it('a list in another order changes no connection', async () => {
  const channel = await ready(A, B, C);
  channel.list([C, A, B]);
  expect(channel.subchannels).toHaveLength(3);
  expect(channel.spread(6)).toEqual({ [A]: 2, [B]: 2, [C]: 2 });
});

it('an empty list fails calls at once, with the note of the resolver', async () => {
  const channel = await ready(A);
  const gone = channel.to(A);
  channel.list([], settingsOf(), 'no server is registered');
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  expect(channel.pick()).toMatchObject({
    pickResultType: PickResultType.TRANSIENT_FAILURE,
    status: { code: 14, details: 'no server is registered' },
  });
  expect(gone.refs).toBe(0);
  channel.list([B]);
  await channel.connect(B);
  expect(channel.spread(2)).toEqual({ [B]: 2 });
});

it('a failed resolution fails calls if there is no list yet, and otherwise leaves the list in use', async () => {
  const channel = new FakeChannel();
  expect(channel.unresolved('etcd is away')).toBe(true);
  expect(channel.pick()).toMatchObject({ status: { details: 'etcd is away' } });
  channel.list([A]);
  await channel.connect(A);
  channel.unresolved('etcd is away');
  expect(channel.spread(2)).toEqual({ [A]: 2 });
});

it('once every endpoint has failed, calls fail with the last reason until one is ready', async () => {
  const channel = new FakeChannel();
  channel.list([A, B]);
  channel.to(A).become(TRANSIENT_FAILURE, 'refused a');
  await settled();
  expect(channel.state).toBe(CONNECTING);
  channel.to(B).become(TRANSIENT_FAILURE, 'refused b');
  await settled();
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  expect(channel.message).toMatch(
    /^\[NO_ENDPOINTS\] none of 2 endpoints can be reached \(the list\); last: refused b/,
  );
  channel.to(A).become(CONNECTING);
  await settled();
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  await channel.connect(A);
  expect(channel.spread(2)).toEqual({ [A]: 2 });
});

it('the balancer requests a new resolution and reconnects when a connection is lost', async () => {
  const channel = await ready(A, B);
  const a = channel.to(A);
  const starts = a.starts;
  a.become(IDLE);
  await settled();
  expect(channel.reresolutions).toBe(1);
  expect(a.starts).toBe(starts + 1);
});

it('if an endpoint registers anew, the balancer dials it at once, without the rest of its backoff', async () => {
  const channel = new FakeChannel();
  channel.list([endpoint(A, null, '1'), endpoint(B, null, '1')]);
  await channel.connect(B);
  channel.to(A).become(TRANSIENT_FAILURE, 'refused');
  channel.list([endpoint(A, null, '1'), endpoint(B, null, '1')]);
  expect(channel.to(A).backoffResets).toBe(0);
  channel.list([endpoint(A, null, '2'), endpoint(B, null, '1')]);
  expect(channel.to(A).backoffResets).toBe(1);
});

it('calls wait for an endpoint that registers anew, and do not fail', async () => {
  const channel = new FakeChannel();
  channel.list([endpoint(A, null, '1')]);
  channel.to(A).become(TRANSIENT_FAILURE, 'refused');
  await settled();
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  channel.list([endpoint(A, null, '2')]);
  expect(channel.state).toBe(CONNECTING);
  expect(channel.pick().pickResultType).toBe(PickResultType.QUEUE);
});

it('statistics of an endpoint survive updates, and start anew when its connection leads to another process', async () => {
  const settings = settingsOf({ policy: 'least_request' });
  const channel = new FakeChannel();
  const list = (incarnation: string, weight: number) =>
    channel.list([endpoint(A, { weight }, incarnation), endpoint(B, { weight }, '1')], settings);
  list('1', 1);
  await channel.connect(A, B);
  // One call stays open on A: as long as it counts, B is less busy.
  for (let isOpen = false; !isOpen;) {
    const result = channel.pick();
    isOpen = addressOf(result) === A;
    if (isOpen) result.onCallStarted?.();
  }
  list('1', 2);
  expect(channel.spread(20)).toEqual({ [B]: 20 });
  // The same process has registered anew: its connection and its open calls stay.
  list('2', 2);
  expect(channel.spread(20)).toEqual({ [B]: 20 });
  channel.to(A).become(IDLE);
  await settled();
  await channel.connect(A);
  expect(channel.spread(40)[A]).toBeGreaterThan(5);
});

it('a changed weight takes effect with the update, without a new connection', async () => {
  const settings = settingsOf({ policy: 'weighted_round_robin' });
  const channel = new FakeChannel();
  channel.list([endpoint(A, { weight: 1 }), endpoint(B, { weight: 1 })], settings);
  await channel.connect(A, B);
  expect(channel.spread(8)).toEqual({ [A]: 4, [B]: 4 });
  channel.list([endpoint(A, { weight: 3 }), endpoint(B, { weight: 1 })], settings);
  expect(channel.subchannels).toHaveLength(2);
  expect(channel.spread(400)[A]).toBeCloseTo(300, -1);
});

it('destroy() closes all connections and timers, and publishes nothing more', async () => {
  const channel = new FakeChannel();
  const settings = settingsOf({ outlierDetection: true, slowStart: { windowMs: 1_000 } });
  channel.list([A, B], settings);
  await channel.connect(A);
  channel.to(B).become(IDLE);
  const told = channel.states.length;
  channel.balancer.destroy();
  await settled();
  expect(channel.states).toHaveLength(told);
  expect(channel.subchannels.map(({ refs, listenerCount }) => [refs, listenerCount])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(channel.clock.pendingTimers).toBe(0);
});

it('after 10,000 replaced endpoints, only the listed endpoints have connections, and no timer remains', async () => {
  const channel = new FakeChannel();
  for (let step = 0; step < 10_000; step++) {
    channel.list(addresses(5, step));
    for (const one of channel.subchannels) {
      if (one.refs > 0 && one.state !== READY) one.become(READY);
    }
    if (channel.subchannels.length > 1_000) {
      expect(channel.subchannels.filter(({ refs }) => refs > 0)).toHaveLength(5);
      channel.subchannels.splice(0, 990);
      await settled();
    }
  }
  await settled();
  expect(channel.clock.pendingTimers).toBe(0);
  expect(Object.keys(channel.spread(100))).toHaveLength(5);
});

it('calls with the canary header go to the canary and all others to the rest; endpoints that routing excludes get none', async () => {
  const settings = settingsOf({
    routing: {
      match: { metadata: { tier: 'web' } },
      canary: { match: { version: '2' }, header: { name: 'x-canary' } },
    },
  });
  const channel = new FakeChannel();
  const list = [
    endpoint(A, { tier: 'web', version: '1' }),
    endpoint(B, { tier: 'web', version: '2' }),
    endpoint(C, { tier: 'batch', version: '1' }),
  ];
  channel.list(list, settings);
  await channel.connect(A, B);
  expect(channel.subchannels).toHaveLength(2);
  expect(channel.spread(10)).toEqual({ [A]: 10 });
  expect(addressOf(channel.pick({ 'x-canary': 'yes' }))).toBe(B);
});

it('all attempts of a call go to the same side of a canary split', async () => {
  const canary = { match: { version: '2' }, share: 0.05 };
  const channel = new FakeChannel();
  const list = [endpoint(A, { version: '1' }), endpoint(B, { version: '2' })];
  channel.list(list, settingsOf({ routing: { canary } }));
  await channel.connect(A, B);
  let canaries = 0;
  for (let call = 0; call < 2_000; call++) {
    const args = { metadata: new Metadata(), extraPickInfo: {} };
    const attempts = [1, 2, 3].map(() => channel.picker && addressOf(channel.picker.pick(args)));
    expect(new Set(attempts).size).toBe(1);
    if (attempts[0] === B) canaries++;
  }
  // The expected number is 100 of 2,000; three standard deviations are 29.
  expect(Math.abs(canaries - 100)).toBeLessThan(30);
});

it('the balancer connects only to endpoints that match the routing, and calls wait for them', async () => {
  const channel = new FakeChannel();
  const list = [endpoint(A, { version: '1' }), endpoint(B, { version: '2' })];
  channel.list(list, settingsOf({ routing: { match: { version: '2' } } }));
  expect(channel.subchannels.map(({ address }) => address)).toEqual([B]);
  expect(channel.state).toBe(CONNECTING);
  await channel.connect(B);
  expect(channel.spread(4)).toEqual({ [B]: 4 });
});

it.each([
  ['a subset', {}, { subsetSize: 4 }],
  ['pick_first', { policy: 'pick_first' }, {}],
  ['a ramp', {}, {}],
] as const)(
  'a client with %s finds the few endpoints that match its routing',
  async (_, options, traits) => {
    for (let client = 0; client < 10; client++) {
      const channel = new FakeChannel();
      for (let draws = 0; draws < client; draws++) channel.random();
      const list = addresses(200).map((address, at) =>
        endpoint(address, { version: at < 2 ? '2' : '1' }),
      );
      channel.list(list, settingsOf({ ...options, routing: { match: { version: '2' } } }, traits));
      for (const one of channel.subchannels) one.become(READY);
      await settled();
      expect(Object.keys(channel.spread(4)).every((address) => [A, B].includes(address))).toBe(
        true,
      );
    }
  },
);

it('a client with subsetSize takes one subset of the canaries and one of the other endpoints', () => {
  const channel = new FakeChannel();
  const list = addresses(100).map((address, at) =>
    endpoint(address, { version: at < 5 ? '2' : '1' }),
  );
  const settings = settingsOf(
    { routing: { canary: { match: { version: '2' } } } },
    { subsetSize: 4 },
  );
  channel.list(list, settings);
  const canaries = new Set(addresses(5));
  const connected = channel.subchannels.map(({ address }) => canaries.has(address));
  expect(connected.filter((isCanary) => isCanary)).toHaveLength(4);
  expect(connected.filter((isCanary) => !isCanary)).toHaveLength(4);
});

it('calls fail with the reason if no endpoint matches the routing', () => {
  const settings = settingsOf({ routing: { match: { version: '9' } } });
  const channel = new FakeChannel();
  channel.list([A], settings);
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  expect(channel.message).toBe(
    "[NO_ENDPOINTS] no endpoint matches the client's routing (the list)",
  );
  expect(channel.subchannels).toEqual([]);
});

it('calls fail with the reason if no connected endpoint matches a changed routing, and no new list came with it', async () => {
  const channel = await ready(A);
  channel.unresolved('etcd is away', settingsOf({ routing: { match: { version: '9' } } }));
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  expect(channel.message).toBe(
    "[NO_ENDPOINTS] no reachable endpoint matches the client's routing (etcd is away)",
  );
  channel.unresolved('etcd is away');
  expect(channel.spread(2)).toEqual({ [A]: 2 });
});

it('a client with subsetSize replaces one endpoint of its subset when one of them leaves', () => {
  const settings = settingsOf({}, { subsetSize: 4 });
  const channel = new FakeChannel();
  const list = addresses(40);
  channel.list(list, settings);
  const chosen = () => channel.subchannels.filter(({ refs }) => refs > 0).map((one) => one.address);
  const before = chosen();
  expect(before).toHaveLength(4);
  channel.list(
    list.filter((address) => address !== before[0]),
    settings,
  );
  for (const one of channel.subchannels) if (one.state === CONNECTING) one.become(READY);
  const after = chosen();
  expect(after).toHaveLength(4);
  expect(after.filter((address) => before.includes(address))).toHaveLength(3);
});

it('with slow start an endpoint that has just joined gets few calls at first, and more as time passes', async () => {
  const settings = settingsOf({ slowStart: { windowMs: 10_000 } });
  const channel = new FakeChannel();
  channel.list([A], settings);
  await channel.connect(A);
  channel.clock.advance(20_000);
  channel.list([A, B], settings);
  await channel.connect(B);
  const first = channel.spread(1_000)[B] ?? 0;
  channel.clock.advance(5_000);
  const half = channel.spread(1_000)[B] ?? 0;
  channel.clock.advance(5_000);
  const full = channel.spread(1_000)[B] ?? 0;
  expect(first).toBeLessThan(120);
  expect(half).toBeGreaterThan(280);
  expect(half).toBeLessThan(380);
  expect(full).toBe(500);
  expect(channel.clock.pendingTimers).toBe(0);
});

it('outlier detection ejects a failing endpoint of two, and lets it return', async () => {
  const settings = settingsOf({ outlierDetection: true });
  const channel = new FakeChannel();
  channel.list([A, B], settings);
  await channel.connect(A, B);
  channel.spread(20, (address) => (address === A ? 13 : 0));
  channel.clock.advance(1_000);
  await settled();
  expect(channel.spread(10)).toEqual({ [B]: 10 });
  channel.clock.advance(10_000);
  await settled();
  expect(channel.spread(10)).toEqual({ [A]: 5, [B]: 5 });
  channel.balancer.destroy();
});

it('outlier detection ejects an endpoint at once when enough of its calls fail in a row', async () => {
  const settings = settingsOf({ outlierDetection: { consecutiveFailures: 3, intervalMs: 60_000 } });
  const channel = new FakeChannel();
  channel.list([A, B], settings);
  await channel.connect(A, B);
  const failed = channel.spread(6, (address) => (address === A ? 13 : 0))[A];
  expect(failed).toBe(3);
  await settled();
  expect(channel.spread(6)).toEqual({ [B]: 6 });
  channel.balancer.destroy();
});

it('a running balancer takes over a changed policy', async () => {
  const channel = await ready(A, B);
  channel.list([A, B], settingsOf({ policy: 'pick_first' }));
  expect(Object.values(channel.spread(10))).toEqual([10]);
  await settled();
  expect(channel.subchannels.filter(({ refs }) => refs > 0)).toHaveLength(1);
  channel.list([A, B], settingsOf({ policy: 'round_robin' }));
  await channel.connect(A, B);
  expect(channel.spread(10)).toEqual({ [A]: 5, [B]: 5 });
});

it('an ejected endpoint stays ejected when other settings change', async () => {
  const outliers = { policy: 'round_robin', outlierDetection: true } as const;
  const channel = new FakeChannel();
  channel.list([A, B, C], settingsOf(outliers));
  await channel.connect(A, B, C);
  channel.spread(30, (address) => (address === A ? 13 : 0));
  await settled();
  channel.list([A, B, C], settingsOf({ ...outliers, policy: 'least_request' }));
  expect(channel.spread(20)[A]).toBeUndefined();
  channel.balancer.destroy();
});

it('an ejected endpoint returns when outlier detection is switched off, and can be ejected when it is on again', async () => {
  const channel = new FakeChannel();
  const [on, off] = [settingsOf({ outlierDetection: true }), settingsOf()];
  const failAtA = (address: string): number => (address === A ? 13 : 0);
  channel.list([A, B, C], on);
  await channel.connect(A, B, C);
  channel.spread(30, failAtA);
  await settled();
  channel.list([A, B, C], off);
  expect(channel.spread(6)[A]).toBe(2);
  channel.list([A, B, C], on);
  channel.spread(30, failAtA);
  await settled();
  expect(channel.spread(6)[A]).toBeUndefined();
  channel.balancer.destroy();
});

it('changed options of peak_ewma hold for endpoints that are connected already', async () => {
  const channel = new FakeChannel();
  channel.list([A, B], settingsOf({ policy: 'peak_ewma', decayMs: 1_000 }));
  await channel.connect(A, B);
  slowCall(channel, A);
  channel.list([A, B], settingsOf({ policy: 'peak_ewma', decayMs: 3_600_000 }));
  channel.clock.advance(60_000);
  // With the first `decayMs` the peak would have decayed, and both endpoints would get as many calls.
  expect(channel.spread(50)[A] ?? 0).toBeLessThan(5);
});

it('least_request counts calls that were open before the client switched to it', async () => {
  const channel = await ready(A, B);
  for (let open = 0; open < 10; open++) {
    const result = channel.pick();
    if (addressOf(result) === A) result.onCallStarted?.();
  }
  channel.list([A, B], settingsOf({ policy: 'least_request' }));
  expect(channel.spread(20)).toEqual({ [B]: 20 });
});

it('outlier detection follows new options of the client', async () => {
  const channel = new FakeChannel();
  const listWith = (consecutiveFailures: number): boolean =>
    channel.list([A, B], settingsOf({ outlierDetection: { consecutiveFailures } }));
  listWith(1_000);
  await channel.connect(A, B);
  listWith(3);
  channel.spread(40, (address) => (address === A ? 14 : 0));
  await settled();
  expect(channel.spread(10)).toEqual({ [B]: 10 });
});

it('outlier detection judges every 50 ms at most, however many calls fail', async () => {
  const channel = new FakeChannel();
  channel.list([A, B], settingsOf({ outlierDetection: { consecutiveFailures: 1 } }));
  await channel.connect(A, B);
  let judged = 0;
  const watch = Reflect.get(channel.balancer, 'outliers') as { judge(): void };
  const judge = watch.judge.bind(watch);
  watch.judge = () => {
    judged++;
    judge();
  };
  channel.spread(1_000, () => 13);
  expect(judged).toBe(1);
  channel.clock.advance(50);
  expect(judged).toBe(2);
  channel.balancer.destroy();
});

it('calls that fail after destroy() start no judgement of outliers', async () => {
  const channel = new FakeChannel();
  channel.list([A, B], settingsOf({ outlierDetection: { consecutiveFailures: 1 } }));
  await channel.connect(A, B);
  const calls = Array.from({ length: 12 }, () => channel.pick());
  for (const call of calls) call.onCallStarted?.();
  channel.balancer.destroy();
  for (const call of calls) call.onCallEnded?.(14, '', new Metadata());
  expect(channel.clock.pendingTimers).toBe(0);
});

const throwing = (): never => {
  throw new Error('out of order');
};

describe('a policy of the user', () => {
  it('fails all calls if it throws while making a picker', async () => {
    registerLoadBalancingPolicy('makes_none', throwing);
    const channel = new FakeChannel();
    channel.list([A], settingsOf({ policy: 'makes_none' }));
    await channel.connect(A);
    expect(channel.state).toBe(TRANSIENT_FAILURE);
    expect(channel.message).toBe("the client's load balancing policy failed: out of order");
  });

  it.each([
    ['throws', throwing, 'out of order'],
    ['chooses no endpoint', () => undefined as never, 'it chose no endpoint'],
  ])('fails a call if its picker %s', async (name, pick, why) => {
    registerLoadBalancingPolicy(name, () => ({ pick }));
    const channel = new FakeChannel();
    channel.list([A], settingsOf({ policy: name }));
    await channel.connect(A);
    const { pickResultType, status } = channel.pick();
    expect(pickResultType).toBe(PickResultType.DROP);
    expect(status).toMatchObject({
      code: 13,
      details: `the client's load balancing policy failed: ${why}`,
    });
  });
});

it('pick_first makes one connection, and another only when the first fails', async () => {
  const settings = settingsOf({ policy: 'pick_first' });
  const channel = new FakeChannel();
  channel.list([A, B, C], settings);
  expect(channel.subchannels).toHaveLength(1);
  channel.list([A, B, C, ...addresses(3, 10)], settings);
  expect(channel.subchannels).toHaveLength(1);
  channel.subchannels[0]?.become(TRANSIENT_FAILURE, 'refused');
  await settled();
  expect(channel.subchannels).toHaveLength(2);
  channel.subchannels[1]?.become(READY);
  await settled();
  expect(Object.values(channel.spread(10))).toEqual([10]);
  expect(channel.subchannels).toHaveLength(2);
});
