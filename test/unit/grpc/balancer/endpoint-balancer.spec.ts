/** The balancer on fake connections: what it keeps, what it closes, what it tells the channel. */
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

/** One call on an endpoint that takes a second. */
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

it('refuses a configuration that is not its own', () => {
  const channel = new FakeChannel();
  const foreign = { getLoadBalancerName: () => 'round_robin', toJsonObject: () => ({}) };
  expect(channel.balancer.updateAddressList({ ok: true, value: [] }, foreign, {}, '')).toBe(false);
});

it('connects to all of a small list and waits for the first of them', () => {
  const channel = new FakeChannel();
  channel.list([A, B, C]);
  expect(channel.subchannels.map(({ address }) => address).sort()).toEqual([A, B, C]);
  expect(channel.state).toBe(CONNECTING);
  expect(channel.pick().pickResultType).toBe(PickResultType.QUEUE);
});

it('takes calls as soon as one endpoint is ready, and rotates exactly over all that are', async () => {
  const channel = new FakeChannel();
  channel.list([A, B, C]);
  await channel.connect(B);
  expect(channel.spread(10)).toEqual({ [B]: 10 });
  await channel.connect(A, C);
  expect(channel.spread(30)).toEqual({ [A]: 10, [B]: 10, [C]: 10 });
});

it('uses the first endpoint of a turn that becomes ready at once, and the others with one picker more', async () => {
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

it('makes one picker of many connections that are lost in one turn', async () => {
  const list = addresses(16);
  const channel = await ready(...list);
  const before = channel.states.length;
  for (const address of list.slice(1)) channel.to(address).become(IDLE);
  await settled();
  expect(channel.states.length - before).toBeLessThanOrEqual(2);
  expect(channel.spread(4)).toEqual({ [list[0] ?? '']: 4 });
});

it('picks nothing that is not ready, even before the new picker is out', async () => {
  const channel = await ready(A, B, C);
  channel.to(B).become(IDLE);
  const counts = channel.spread(20);
  expect(counts[B]).toBeUndefined();
  channel.to(A).become(IDLE);
  channel.to(C).become(IDLE);
  expect(channel.pick().pickResultType).toBe(PickResultType.QUEUE);
});

it('keeps connections of endpoints that stay, closes those that left, makes those that are new', async () => {
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

it('fails calls at once on an empty list, with what the resolver said', async () => {
  const channel = await ready(A);
  const gone = channel.to(A);
  channel.list([], settingsOf(), 'nobody is registered');
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  expect(channel.pick()).toMatchObject({
    pickResultType: PickResultType.TRANSIENT_FAILURE,
    status: { code: 14, details: 'nobody is registered' },
  });
  expect(gone.refs).toBe(0);
  channel.list([B]);
  await channel.connect(B);
  expect(channel.spread(2)).toEqual({ [B]: 2 });
});

it('fails calls when nothing could be resolved yet, and keeps the list when it could before', async () => {
  const channel = new FakeChannel();
  expect(channel.unresolved('etcd is away')).toBe(true);
  expect(channel.pick()).toMatchObject({ status: { details: 'etcd is away' } });
  channel.list([A]);
  await channel.connect(A);
  channel.unresolved('etcd is away');
  expect(channel.spread(2)).toEqual({ [A]: 2 });
});

it('fails calls when every endpoint has failed, with the last reason, and stays so until one is ready', async () => {
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

it('asks the registry again and reconnects when a connection is lost', async () => {
  const channel = await ready(A, B);
  const a = channel.to(A);
  const starts = a.starts;
  a.become(IDLE);
  await settled();
  expect(channel.reresolutions).toBe(1);
  expect(a.starts).toBe(starts + 1);
});

it('tries at once, without waiting out the backoff, when an endpoint registers anew', async () => {
  const channel = new FakeChannel();
  channel.list([endpoint(A, null, '1'), endpoint(B, null, '1')]);
  await channel.connect(B);
  channel.to(A).become(TRANSIENT_FAILURE, 'refused');
  channel.list([endpoint(A, null, '1'), endpoint(B, null, '1')]);
  expect(channel.to(A).backoffResets).toBe(0);
  channel.list([endpoint(A, null, '2'), endpoint(B, null, '1')]);
  expect(channel.to(A).backoffResets).toBe(1);
});

it('waits for an endpoint that registers anew instead of failing calls', async () => {
  const channel = new FakeChannel();
  channel.list([endpoint(A, null, '1')]);
  channel.to(A).become(TRANSIENT_FAILURE, 'refused');
  await settled();
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  channel.list([endpoint(A, null, '2')]);
  expect(channel.state).toBe(CONNECTING);
  expect(channel.pick().pickResultType).toBe(PickResultType.QUEUE);
});

it('statistics survive updates, and are forgotten when a connection leads to another process', async () => {
  const settings = settingsOf({ policy: 'least_request' });
  const channel = new FakeChannel();
  const list = (incarnation: string, weight: number) =>
    channel.list([endpoint(A, { weight }, incarnation), endpoint(B, { weight }, '1')], settings);
  list('1', 1);
  await channel.connect(A, B);
  // One call stays open on A: the less busy one is B until that is forgotten.
  for (let isOpen = false; !isOpen;) {
    const result = channel.pick();
    isOpen = addressOf(result) === A;
    if (isOpen) result.onCallStarted?.();
  }
  list('1', 2);
  expect(channel.spread(20)).toEqual({ [B]: 20 });
  // The same process, registered anew: its connection stands, and so do the calls on it.
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

it('closes everything and says nothing more once it is destroyed', async () => {
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

it('10,000 replacements leave as many connections, listeners and timers as there are endpoints', async () => {
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

it('a canary gets its share, others none of its calls; a match leaves out the rest', async () => {
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

it('a call that is tried again keeps to the version it was drawn for', async () => {
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
  // 100 of 2,000; three standard deviations are 29.
  expect(Math.abs(canaries - 100)).toBeLessThan(30);
});

it('waits for who matches while others of the list are ready', async () => {
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
] as const)('finds the few that match under %s', async (_, options, traits) => {
  for (let client = 0; client < 10; client++) {
    const channel = new FakeChannel();
    for (let draws = 0; draws < client; draws++) channel.random();
    const list = addresses(200).map((address, at) =>
      endpoint(address, { version: at < 2 ? '2' : '1' }),
    );
    channel.list(list, settingsOf({ ...options, routing: { match: { version: '2' } } }, traits));
    for (const one of channel.subchannels) one.become(READY);
    await settled();
    expect(Object.keys(channel.spread(4)).every((address) => [A, B].includes(address))).toBe(true);
  }
});

it('takes a subset of canaries beside that of the others', () => {
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

it('says so when no endpoint matches', () => {
  const settings = settingsOf({ routing: { match: { version: '9' } } });
  const channel = new FakeChannel();
  channel.list([A], settings);
  expect(channel.state).toBe(TRANSIENT_FAILURE);
  expect(channel.message).toBe(
    "[NO_ENDPOINTS] no endpoint matches the client's routing (the list)",
  );
  expect(channel.subchannels).toEqual([]);
});

it('uses a subset of a large list, and changes one entry when one of it leaves', () => {
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

it('slow start: who has just joined gets less, and more as time passes', async () => {
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

it('ejects one of two that fails, and lets it return', async () => {
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

it('ejects without waiting for the next interval once enough calls failed in a row', async () => {
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

it('follows settings that change while it runs', async () => {
  const channel = await ready(A, B);
  channel.list([A, B], settingsOf({ policy: 'pick_first' }));
  expect(Object.values(channel.spread(10))).toEqual([10]);
  await settled();
  expect(channel.subchannels.filter(({ refs }) => refs > 0)).toHaveLength(1);
  channel.list([A, B], settingsOf({ policy: 'round_robin' }));
  await channel.connect(A, B);
  expect(channel.spread(10)).toEqual({ [A]: 5, [B]: 5 });
});

it('whoever is ejected stays so when other settings change', async () => {
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

it('options of peak_ewma reach endpoints that are known', async () => {
  const channel = new FakeChannel();
  channel.list([A, B], settingsOf({ policy: 'peak_ewma', decayMs: 1_000 }));
  await channel.connect(A, B);
  slowCall(channel, A);
  channel.list([A, B], settingsOf({ policy: 'peak_ewma', decayMs: 3_600_000 }));
  channel.clock.advance(60_000);
  // By the first option nothing would be left of the peak, and both would be called alike.
  expect(channel.spread(50)[A] ?? 0).toBeLessThan(5);
});

it('counts the calls that were open before it was asked to go by them', async () => {
  const channel = await ready(A, B);
  for (let open = 0; open < 10; open++) {
    const result = channel.pick();
    if (addressOf(result) === A) result.onCallStarted?.();
  }
  channel.list([A, B], settingsOf({ policy: 'least_request' }));
  expect(channel.spread(20)).toEqual({ [B]: 20 });
});

it('judges no more often than every 50 ms however many calls fail', async () => {
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

it('judges nobody any more once it is destroyed', async () => {
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

describe('a policy of the user that throws', () => {
  it('fails calls where it makes no picker', async () => {
    registerLoadBalancingPolicy('makes_none', throwing);
    const channel = new FakeChannel();
    channel.list([A], settingsOf({ policy: 'makes_none' }));
    await channel.connect(A);
    expect(channel.state).toBe(TRANSIENT_FAILURE);
    expect(channel.message).toBe("the client's load balancing policy failed: out of order");
  });

  it.each([
    ['throws', throwing, 'out of order'],
    ['chooses nobody', () => undefined as never, 'it chose nobody'],
  ])('fails the call for which it %s', async (name, pick, why) => {
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

it('pick_first makes one connection, and the next only when that fails', async () => {
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
