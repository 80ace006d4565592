/** How the pickers of a balancer change with its connections. */
import { connectivityState } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import {
  addresses,
  addressOf,
  endpoint,
  FakeChannel,
  type FakeSubchannel,
  settingsOf,
  settled,
} from '../fake-channel.js';

const { CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;
const ZONES = ['a', 'b', 'c'];
const zoneOf = (address: string): string => ZONES[Number(address.split(':')[1]) % 3] ?? '';

/** How many calls each zone gets. */
function spreadOverZones(channel: FakeChannel, calls: number): Record<string, number> {
  const zones: Record<string, number> = {};
  for (const [address, count] of Object.entries(channel.spread(calls))) {
    zones[zoneOf(address)] = (zones[zoneOf(address)] ?? 0) + count;
  }
  return zones;
}

const underWay = ({ subchannels }: FakeChannel): FakeSubchannel[] =>
  subchannels.filter(({ refs, state }) => refs > 0 && state === CONNECTING);

it('calls stay in their zone when an endpoint of another zone joins a fleet of which only a part is connected', async () => {
  const settings = settingsOf({}, { zone: 'a' });
  const channel = new FakeChannel();
  const list = addresses(600).map((address) => endpoint(address, { zone: zoneOf(address) }));
  channel.list(list.slice(1), settings);
  while (underWay(channel).length > 0) {
    for (const one of underWay(channel)) one.become(READY);
    await settled();
  }
  expect(channel.subchannels).toHaveLength(64);
  channel.list(list, settings);
  expect(spreadOverZones(channel, 1)).toEqual({ a: 1 });
  await settled();
  const newest = channel.to(addresses(1)[0] ?? '');
  expect(zoneOf(newest.address)).toBe('b');
  newest.become(READY);
  await settled();
  expect(spreadOverZones(channel, 100)).toEqual({ a: 100 });
});

it('calls leave their zone in proportion to its failed connections', async () => {
  const settings = settingsOf({}, { zone: 'a' });
  const channel = new FakeChannel();
  channel.list(
    addresses(12).map((address) => endpoint(address, { zone: zoneOf(address) })),
    settings,
  );
  const own = channel.subchannels.filter(({ address }) => zoneOf(address) === 'a');
  for (const one of channel.subchannels) {
    one.become(own.indexOf(one) > 0 && own.indexOf(one) <= 2 ? TRANSIENT_FAILURE : READY);
  }
  await settled();
  // Two of the four endpoints in the zone are ready: 1.4 × 1/2 of the calls stay. ε: one call for each of the
  // ten endpoints in the rotation.
  expect(Math.abs((spreadOverZones(channel, 1_000)['a'] ?? 0) - 700)).toBeLessThanOrEqual(10);
});

it('an endpoint that has just joined gets few keys at first under consistent_hash with slow start', async () => {
  const settings = settingsOf({
    policy: 'consistent_hash',
    hashKey: 'user',
    slowStart: { windowMs: 10_000 },
  });
  const channel = new FakeChannel();
  const [joined = '', ...others] = addresses(11);
  channel.list(others, settings);
  await channel.connect(...others);
  channel.clock.advance(20_000);
  channel.list([joined, ...others], settings);
  await channel.connect(joined);
  const share = (): number => {
    const keys = Array.from({ length: 5_000 }, (_, key) => channel.pick({ user: `user-${key}` }));
    return keys.filter((result) => addressOf(result) === joined).length / keys.length;
  };
  // ε: 4 standard deviations of the sum of two errors, the 6 % of the ring and that of the drawn keys.
  expect(Math.abs(share() * 101 - 1)).toBeLessThan(0.62);
  channel.clock.advance(10_000);
  expect(Math.abs(share() * 11 - 1)).toBeLessThan(0.3);
  expect(channel.clock.pendingTimers).toBe(0);
});
