/** Which clients begin with the first page of a long list, and how they go on with the whole list. */
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

/** Lets all attempts succeed, until no further one begins. */
async function connectAll(channel: FakeChannel): Promise<void> {
  for (;;) {
    const waiting = inUse(channel).filter(({ state }) => state === CONNECTING);
    if (waiting.length === 0) return;
    for (const one of waiting) one.become(READY);
    await settled();
  }
}

it('with the first page, the client connects to one endpoint and calls it', async () => {
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

it('with the first page, the client tries a second endpoint if the first cannot be reached', async () => {
  const channel = new FakeChannel();
  channel.listPart(beginning);
  inUse(channel)[0]?.become(TRANSIENT_FAILURE, 'refused');
  await settled();
  expect(inUse(channel)).toHaveLength(2);
  expect(channel.state).toBe(CONNECTING);
});

it('with the first page, the client tries four endpoints if the first does not answer within 100 ms', () => {
  const channel = new FakeChannel();
  channel.listPart(beginning);
  channel.clock.advance(100);
  expect(inUse(channel)).toHaveLength(4);
});

it('with the whole list, the client connects to 64 endpoints of all its pages, and seldom keeps its endpoint of the first page', async () => {
  let kept = 0;
  for (let client = 0; client < 40; client++) {
    const channel = new FakeChannel();
    // Each client draws other random numbers.
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
  // By chance, 0.5 of 40 clients have their first endpoint among their 64 of 5,000.
  expect(kept).toBeLessThan(4);
});

it('with the whole list, calls stay at the endpoint of the first page until another one is ready', async () => {
  const channel = new FakeChannel();
  channel.listPart(beginning);
  await connectAll(channel);
  const first = inUse(channel)[0]?.address ?? '';
  channel.list(whole);
  expect(channel.spread(10)).toEqual({ [first]: 10 });
  expect(channel.state).toBe(READY);
});

it('with the whole list, once calls need more connections, the client connects again to an endpoint that it had dropped', async () => {
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
  ['with pick_first would stay at an endpoint of the first page', { policy: 'pick_first' }],
  [
    'with consistent_hash would find other owners for its keys',
    { policy: 'consistent_hash', hashKey: 'key' },
  ],
  [
    'with routing might find no endpoint to call',
    { routing: { canary: { match: { version: '2' } } } },
  ],
  ['with locality might find no endpoint of its zone', { locality: { zone: 'a' } }],
])('the balancer waits for the whole list if a client %s', (_, options) => {
  const channel = new FakeChannel();
  channel.listPart(beginning, settingsOf(options));
  expect([channel.subchannels, channel.states]).toEqual([[], []]);
  channel.list(beginning, settingsOf(options));
  expect(channel.state).toBe(CONNECTING);
});

it('the balancer waits for the whole list if a client takes a subset of it', () => {
  const channel = new FakeChannel();
  channel.listPart(beginning, settingsOf({}, { subsetSize: 10 }));
  expect(channel.subchannels).toEqual([]);
});
