/**
 * What the balancer does at an update besides following the list: connections that are ready already,
 * renewals, the share of ejected endpoints, the end.
 */
import { connectivityState } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DiscoveryFields } from '../../../../lib/core/records/discovery-fields.js';
import type { GrpcEndpoint } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { resolvedEndpoints } from '../../../../lib/grpc/resolved-endpoint.js';
import { addresses, FakeChannel, FakeSubchannel, settingsOf, settled } from '../fake-channel.js';

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;
const [A, B, C] = addresses(3) as [string, string, string];

afterEach(() => {
  vi.restoreAllMocks();
});

async function connectAll(channel: FakeChannel): Promise<void> {
  for (;;) {
    const waiting = channel.subchannels.filter(({ state }) => state === CONNECTING);
    if (waiting.length === 0) return;
    for (const one of waiting) one.become(READY);
    await settled();
  }
}

describe('an update of the list', () => {
  it('uses connections that are ready already at once: it makes one picker for the first, and one more for all others', () => {
    vi.spyOn(FakeSubchannel.prototype, 'getConnectivityState').mockReturnValue(READY);
    const channel = new FakeChannel();
    channel.list([A, B, C]);
    expect(channel.states).toEqual([READY, READY]);
    expect(channel.spread(6)).toEqual({ [A]: 2, [B]: 2, [C]: 2 });
  });

  it('dials no endpoint that left the list before its turn to be connected', async () => {
    const channel = new FakeChannel();
    channel.list(addresses(100));
    const begun = channel.subchannels.map(({ address }) => address);
    const gone = addresses(100).filter((address) => !begun.includes(address));
    const stays = gone.splice(0, 40);
    channel.list([...begun, ...stays]);
    await connectAll(channel);
    const dialled = channel.subchannels.map(({ address }) => address);
    expect(dialled.toSorted()).toEqual([...begun, ...stays].toSorted());
  });

  it('keeps the connection that was made from the first page of the list if the whole list is small', async () => {
    const channel = new FakeChannel();
    channel.listPart([A]);
    await connectAll(channel);
    const first = channel.to(A);
    channel.list(addresses(10));
    await connectAll(channel);
    expect(channel.to(A)).toBe(first);
    expect(first.refs).toBe(1);
    expect(channel.spread(20)).toMatchObject({ [A]: 2 });
  });
});

const open = (channel: FakeChannel): number =>
  channel.subchannels.filter(({ refs }) => refs > 0).length;

describe('the connections that calls ask for', () => {
  it('are never more than the list has endpoints: when the list grows, no further endpoint is connected before a call', async () => {
    const channel = new FakeChannel();
    channel.list(addresses(65));
    await connectAll(channel);
    channel.pick();
    await connectAll(channel);
    expect(open(channel)).toBe(65);
    channel.subchannels[0]?.become(IDLE);
    for (let call = 0; call < 5; call++) channel.pick();
    await settled();
    await connectAll(channel);
    channel.list(addresses(200));
    await connectAll(channel);
    expect(open(channel)).toBe(65);
  });
});

it('the queue of endpoints to connect stays short when endpoints join and leave before they are connected', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(100));
  await connectAll(channel);
  const connected = channel.subchannels.map(({ address }) => address);
  for (let step = 1; step <= 50; step++) channel.list([...connected, ...addresses(36, 100 * step)]);
  const plan = Reflect.get(channel.balancer, 'plan') as { queue: object[]; urgent: object[] };
  expect(plan.queue.length + plan.urgent.length).toBeLessThanOrEqual(2 * 100 + 64);
  expect(open(channel)).toBe(64);
});

describe('the share of endpoints that may be ejected', () => {
  it('counts connected endpoints only', async () => {
    const channel = new FakeChannel();
    channel.list(addresses(100), settingsOf({ outlierDetection: { maxEjectedShare: 0.03 } }));
    await connectAll(channel);
    const listed = channel.subchannels.map(({ address }) => address);
    expect(listed).toHaveLength(64);
    const bad = listed.slice(0, 2);
    for (let turn = 0; turn < 8; turn++) {
      channel.spread(64, (address) => (bad.includes(address) ? 13 : 0));
      channel.clock.advance(60);
      await settled();
    }
    const called = channel.spread(640);
    expect(bad.filter((address) => called[address] === undefined)).toHaveLength(1);
    channel.balancer.destroy();
  });
});

/** A list of one endpoint whose record has these fields under `discovery`. */
function aging(discovery: DiscoveryFields): GrpcEndpoint[] {
  return [...resolvedEndpoints([{ address: A, metadata: null, discovery }])];
}

const made = (channel: FakeChannel) => channel.subchannels.map(({ refs }) => refs);

async function connected(discovery: DiscoveryFields = { maxConnectionAgeMs: 10_000 }) {
  const channel = new FakeChannel();
  channel.list(aging(discovery));
  await channel.connect(A);
  return channel;
}

describe('a server that ends connections at maxConnectionAgeMs', () => {
  it('gets a new connection at 40 to 60 % of that age, and the calls once that connection is ready', async () => {
    const channel = await connected();
    const first = channel.to(A);
    channel.clock.advance(3_999);
    expect(made(channel)).toEqual([1]);
    channel.clock.advance(2_001);
    expect(made(channel)).toEqual([1, 1]);
    expect(channel.state).toBe(READY);
    const second = channel.to(A);
    expect(second.options).not.toEqual(first.options);
    await channel.connect(A);
    expect(made(channel)).toEqual([0, 1]);
    expect(first.listenerCount).toBe(0);
    expect(channel.spread(4)).toEqual({ [A]: 4 });
    // The second connection is replaced in the same way.
    channel.clock.advance(6_000);
    expect(made(channel)).toEqual([0, 1, 1]);
  });

  it('keeps its connection if the new one fails, and gets another attempt later', async () => {
    const channel = await connected();
    channel.clock.advance(6_000);
    channel.to(A).become(TRANSIENT_FAILURE, 'refused');
    await settled();
    expect(made(channel)).toEqual([1, 0]);
    expect(channel.spread(4)).toEqual({ [A]: 4 });
    channel.clock.advance(6_000);
    expect(made(channel)).toEqual([1, 0, 1]);
  });

  it('gets no replacement after its connection is lost, or the balancer destroyed', async () => {
    const channel = await connected();
    channel.balancer.destroy();
    expect(channel.clock.pendingTimers).toBe(0);
    const other = await connected();
    other.to(A).become(IDLE);
    await settled();
    // The lost connection is dialled again; its deadline is the one timer.
    expect(made(other)).toEqual([1]);
    expect(other.clock.pendingTimers).toBe(1);
  });

  it('gets no new connection once its record has no age any more', async () => {
    const channel = await connected();
    channel.list(aging({}));
    channel.to(A).become(CONNECTING);
    await channel.connect(A);
    channel.clock.advance(60_000);
    expect(made(channel)).toEqual([1]);
  });
});

describe('a balancer that is destroyed', () => {
  it('refuses further lists', () => {
    const channel = new FakeChannel();
    channel.list([A]);
    channel.balancer.destroy();
    expect(channel.list([A, B])).toBe(false);
    expect(channel.subchannels).toHaveLength(1);
  });

  it('leaves no timer, even while it makes the first connections to a large list', () => {
    const channel = new FakeChannel();
    channel.list(addresses(100));
    expect(channel.clock.pendingTimers).toBeGreaterThan(4);
    channel.balancer.destroy();
    expect(channel.clock.pendingTimers).toBe(0);
  });

  it('does not dial endpoints that were due at the end of the turn', async () => {
    const channel = new FakeChannel();
    channel.list(addresses(100));
    channel.subchannels[0]?.become(READY);
    channel.balancer.destroy();
    await settled();
    expect(channel.subchannels).toHaveLength(4);
  });
});
