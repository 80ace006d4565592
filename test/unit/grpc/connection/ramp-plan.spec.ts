/** How many connections a plan makes, and when. */
import { connectivityState } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { addresses, endpoint, FakeChannel, settingsOf, settled } from '../fake-channel.js';

const { CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;

/** Lets all attempts succeed, until no further one begins. */
async function connectAll(channel: FakeChannel): Promise<void> {
  for (;;) {
    const waiting = channel.subchannels.filter(({ state }) => state === CONNECTING);
    if (waiting.length === 0) return;
    for (const one of waiting) one.become(READY);
    await settled();
  }
}

function open(channel: FakeChannel): number {
  return channel.subchannels.filter(({ refs }) => refs > 0).length;
}

it('the plan has 16 attempts under way at most', () => {
  const channel = new FakeChannel();
  channel.list(addresses(64));
  expect(open(channel)).toBe(16);
});

it('on a large list the plan has 4 attempts under way until one connection is ready', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(100));
  expect(open(channel)).toBe(4);
  channel.subchannels[0]?.become(READY);
  await settled();
  expect(open(channel)).toBe(17);
});

it('on a large list the plan has 4 attempts under way for 100 ms at most', () => {
  const channel = new FakeChannel();
  channel.list(addresses(100));
  channel.clock.advance(99);
  expect(open(channel)).toBe(4);
  channel.clock.advance(1);
  expect(open(channel)).toBe(16);
});

it('a new list starts the 100 ms anew in which the plan has 4 attempts under way', () => {
  const channel = new FakeChannel();
  channel.listPart(addresses(100));
  channel.clock.advance(60);
  channel.list(addresses(100));
  channel.clock.advance(99);
  expect(open(channel)).toBe(4);
  channel.clock.advance(1);
  expect(open(channel)).toBe(16);
});

it('an empty first page does not start the 100 ms in which the plan has 4 attempts under way', () => {
  const channel = new FakeChannel();
  channel.listPart([]);
  expect(channel.clock.pendingTimers).toBe(0);
  channel.clock.advance(1_000);
  channel.list(addresses(100));
  expect(open(channel)).toBe(4);
});

it('the plan begins no further attempt once its balancer is destroyed', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(100));
  channel.subchannels[0]?.become(READY);
  const made = channel.subchannels.length;
  channel.balancer.destroy();
  await settled();
  expect([channel.subchannels.length, open(channel), channel.clock.pendingTimers]).toEqual([
    made,
    0,
    0,
  ]);
});

it('the plan connects to 64 endpoints of a large list before any call, and to one more with each call', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(100));
  await connectAll(channel);
  expect(open(channel)).toBe(64);
  channel.pick();
  await connectAll(channel);
  expect(open(channel)).toBe(65);
  for (let call = 0; call < 200; call++) {
    channel.pick();
    await connectAll(channel);
  }
  expect(open(channel)).toBe(100);
});

it('the plan connects to 64 endpoints also when a small list grows large', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(10));
  await connectAll(channel);
  channel.list(addresses(1_000));
  await connectAll(channel);
  expect(open(channel)).toBe(64);
});

it('the plan connects to 64 endpoints even if some of the first cannot be reached', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(100));
  for (let failed = 0; failed < 30; failed++) {
    channel.subchannels.find(({ state }) => state === CONNECTING)?.become(TRANSIENT_FAILURE);
    await settled();
  }
  await connectAll(channel);
  expect(channel.subchannels.filter(({ state }) => state === READY)).toHaveLength(64);
});

it('the plan reconnects a lost endpoint before it tries new ones', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(100));
  await connectAll(channel);
  const lost = channel.subchannels[5];
  const made = channel.subchannels.length;
  lost?.become(connectivityState.IDLE);
  await settled();
  expect(lost?.state).toBe(CONNECTING);
  expect(channel.subchannels).toHaveLength(made);
});

it('the first attempts of the plan go to the own zone', () => {
  const channel = new FakeChannel();
  const list = addresses(100).map((address, at) =>
    endpoint(address, { zone: at % 4 === 0 ? 'here' : 'there' }),
  );
  channel.list(list, settingsOf({}, { zone: 'here' }));
  const first = channel.subchannels.map(({ address }) => Number(address.split(':')[1]) - 1);
  expect(first).toHaveLength(4);
  expect(first.every((at) => at % 4 === 0)).toBe(true);
});

const begun = (channel: FakeChannel) => channel.subchannels.map(({ address }) => address);

it('clients that start together begin with different endpoints', () => {
  const [one, other] = [new FakeChannel(), new FakeChannel()];
  other.random();
  one.list(addresses(100));
  other.list(addresses(100));
  expect(begun(one)).not.toEqual(begun(other));
});

it('one of every eight first connections of the plan goes to another zone', async () => {
  const channel = new FakeChannel();
  const list = addresses(200).map((address, at) => endpoint(address, { zone: at % 2 ? 'a' : 'b' }));
  channel.list(list, settingsOf({}, { zone: 'a' }));
  await connectAll(channel);
  const zones = channel.subchannels.map(({ address }) => Number(address.split(':')[1]) % 2);
  // Ports of zone a are even.
  expect(zones.slice(0, 7)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  expect(zones[7]).toBe(1);
  expect(zones.slice(0, 64).filter((port) => port === 1)).toHaveLength(8);
});

it('the plan removes endpoints that left the list from its queues', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(100));
  await connectAll(channel);
  for (let step = 1; step <= 300; step++) channel.list(addresses(100, step));
  await connectAll(channel);
  const plan = Reflect.get(channel.balancer, 'plan') as { waiting: number };
  expect(plan.waiting).toBeLessThanOrEqual(300);
});
