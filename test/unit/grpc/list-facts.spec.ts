/** Which clients begin on the first page of a long list, and how they go on with the whole one. */
import { connectivityState } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import type { LoadBalancingOptions } from '../../../lib/grpc/balancer/policies.js';
import {
  addresses,
  FakeChannel,
  type FakeSubchannel,
  settingsOf,
  settled,
} from './fake-channel.js';

const { CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;

const beginning = addresses(256);
const whole = addresses(5_000);

function inUse(channel: FakeChannel): FakeSubchannel[] {
  return channel.subchannels.filter(({ refs }) => refs > 0);
}

/** Lets every attempt under way succeed until none is. */
async function connectAll(channel: FakeChannel): Promise<void> {
  for (;;) {
    const waiting = inUse(channel).filter(({ state }) => state === CONNECTING);
    if (waiting.length === 0) return;
    for (const one of waiting) one.become(READY);
    await settled();
  }
}

it('the client connects to one endpoint of the beginning, and calls it', async () => {
  const channel = new FakeChannel();
  channel.listPart(beginning);
  expect(inUse(channel)).toHaveLength(1);
  await connectAll(channel);
  const [only] = inUse(channel);
  expect(channel.spread(100)).toEqual({ [only?.address ?? '']: 100 });
  channel.clock.advance(1_000);
  await settled();
  expect(inUse(channel)).toHaveLength(1);
});

it('the client tries the next endpoint where that one cannot be reached', async () => {
  const channel = new FakeChannel();
  channel.listPart(beginning);
  inUse(channel)[0]?.become(TRANSIENT_FAILURE, 'refused');
  await settled();
  expect(inUse(channel)).toHaveLength(2);
  expect(channel.state).toBe(CONNECTING);
});

it('the client tries more of the beginning where that one does not answer for 100 ms', () => {
  const channel = new FakeChannel();
  channel.listPart(beginning);
  channel.clock.advance(100);
  expect(inUse(channel)).toHaveLength(4);
});

it('the client connects to as many endpoints of the whole list as without a beginning, and evenly over all of it', async () => {
  let kept = 0;
  for (let client = 0; client < 40; client++) {
    const channel = new FakeChannel();
    // Each client draws numbers of its own.
    for (let draws = 0; draws < client; draws++) channel.random();
    channel.listPart(beginning);
    await connectAll(channel);
    const [first] = inUse(channel);
    channel.list(whole);
    await connectAll(channel);
    const connected = inUse(channel);
    expect(connected).toHaveLength(64);
    if (connected.some(({ address }) => address === first?.address)) kept++;
  }
  // By chance alone 0.5 of 40 clients have it among their 64 of 5,000.
  expect(kept).toBeLessThan(4);
});

it('calls stay where they are until other endpoints can take them', async () => {
  const channel = new FakeChannel();
  channel.listPart(beginning);
  await connectAll(channel);
  const first = inUse(channel)[0]?.address ?? '';
  channel.list(whole);
  expect(channel.spread(10)).toEqual({ [first]: 10 });
  expect(channel.state).toBe(READY);
});

it('the client returns to an endpoint that it left, once calls ask for more connections', async () => {
  const channel = new FakeChannel();
  const list = addresses(300);
  channel.listPart(beginning);
  await connectAll(channel);
  channel.list(list);
  await connectAll(channel);
  for (let call = 0; call < 600; call++) {
    channel.pick();
    await connectAll(channel);
  }
  expect(new Set(inUse(channel).map(({ address }) => address)).size).toBe(300);
});

it.each<[string, LoadBalancingOptions]>([
  ['would stay with it', { policy: 'pick_first' }],
  ['has other owners for its keys', { policy: 'consistent_hash', hashKey: 'key' }],
  ['may find no endpoint to call', { routing: { canary: { match: { version: '2' } } } }],
  ['may find no endpoint of its zone', { locality: { zone: 'a' } }],
])('the balancer waits for the whole list where a client %s', (_, options) => {
  const channel = new FakeChannel();
  channel.listPart(beginning, settingsOf(options));
  expect([channel.subchannels, channel.states]).toEqual([[], []]);
  channel.list(beginning, settingsOf(options));
  expect(channel.state).toBe(CONNECTING);
});

it('the balancer waits for the whole list where a client takes a subset of it', () => {
  const channel = new FakeChannel();
  channel.listPart(beginning, settingsOf({}, { subsetSize: 10 }));
  expect(channel.subchannels).toEqual([]);
});
