/** Which endpoints the plan of `pick_first` connects to, and which it gives up. */
import { connectivityState } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import {
  addresses,
  addressOf,
  endpoint,
  FakeChannel,
  settingsOf,
  settled,
} from '../fake-channel.js';

const { IDLE, READY, TRANSIENT_FAILURE } = connectivityState;

function inUse(channel: FakeChannel): string[] {
  return channel.subchannels.filter(({ refs }) => refs > 0).map(({ address }) => address);
}

it('the plan gives an ejected endpoint up once the next one is ready', async () => {
  const channel = new FakeChannel();
  const settings = settingsOf({ policy: 'pick_first', outlierDetection: true });
  channel.list(addresses(3), settings);
  const [first = ''] = inUse(channel);
  await channel.connect(first);
  channel.spread(5, () => 13);
  await settled();
  // The ejected endpoint gets calls until the next one is ready: they may fail there, and would fail without
  // it.
  expect(addressOf(channel.pick())).toBe(first);
  const second = inUse(channel).find((address) => address !== first) ?? '';
  await channel.connect(second);
  expect(channel.spread(10)).toEqual({ [second]: 10 });
  expect(inUse(channel)).toEqual([second]);
  channel.balancer.destroy();
});

it('the plan connects to one canary and to one other endpoint, whatever their order', async () => {
  const canary = { match: { version: '2' }, header: { name: 'x-canary' } };
  const list = addresses(6).map((address, at) =>
    endpoint(address, { version: at < 2 ? '2' : '1' }),
  );
  const canaries = addresses(2);
  for (let client = 0; client < 10; client++) {
    const channel = new FakeChannel();
    for (let draws = 0; draws < client; draws++) channel.random();
    channel.list(list, settingsOf({ policy: 'pick_first', routing: { canary } }));
    const connected = inUse(channel);
    expect(connected.map((address) => canaries.includes(address)).sort()).toEqual([false, true]);
    await channel.connect(...connected);
    expect(canaries).not.toContain(addressOf(channel.pick()));
    expect(canaries).toContain(addressOf(channel.pick({ 'x-canary': '1' })));
  }
});

it('when an endpoint that is no canary fails, the plan tries the next endpoint that is no canary', async () => {
  const canary = { match: { version: '2' } };
  const list = addresses(6).map((address, at) =>
    endpoint(address, { version: at < 3 ? '2' : '1' }),
  );
  const channel = new FakeChannel();
  channel.list(list, settingsOf({ policy: 'pick_first', routing: { canary } }));
  const stable = inUse(channel).find((address) => !addresses(3).includes(address)) ?? '';
  channel.to(stable).become(TRANSIENT_FAILURE, 'refused');
  await settled();
  const tried = inUse(channel).filter((address) => !addresses(3).includes(address));
  expect(tried).toHaveLength(2);
});

/** A channel whose first attempt failed, and which is connected to its second choice. */
async function connectedToSecond() {
  const channel = new FakeChannel();
  const settings = settingsOf({ policy: 'pick_first' });
  channel.list(addresses(3), settings);
  const [first = ''] = inUse(channel);
  channel.to(first).become(TRANSIENT_FAILURE, 'refused');
  await settled();
  const second = inUse(channel).find((address) => address !== first) ?? '';
  await channel.connect(second);
  return { channel, settings, first, second };
}

it('the plan keeps its connection when the list grows', async () => {
  const { channel, settings, second } = await connectedToSecond();
  expect(inUse(channel)).toEqual([second]);
  channel.list(addresses(9), settings);
  await settled();
  expect(channel.spread(10)).toEqual({ [second]: 10 });
  expect(inUse(channel)).toEqual([second]);
});

it('the plan keeps its connection when the endpoint that failed before can be reached again', async () => {
  const { channel, settings, first, second } = await connectedToSecond();
  // Another channel of the process may share the subchannel and connect it.
  channel.to(first).become(READY);
  await settled();
  channel.list(addresses(3), settings);
  await settled();
  expect(channel.spread(10)).toEqual({ [second]: 10 });
  expect(inUse(channel)).toEqual([second]);
});

it('the plan keeps its connection when the endpoint that failed is removed and added again', async () => {
  const { channel, settings, first, second } = await connectedToSecond();
  const others = addresses(3).filter((address) => address !== first);
  channel.list(others, settings);
  channel.list([first, ...others], settings);
  await settled();
  expect(channel.spread(10)).toEqual({ [second]: 10 });
  expect(inUse(channel)).toEqual([second]);
});

it('the plan connects again when its connection is lost', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(2), settingsOf({ policy: 'pick_first' }));
  const [first = ''] = inUse(channel);
  await channel.connect(first);
  channel.to(first).become(IDLE);
  await settled();
  const next = channel.subchannels.filter(({ refs, starts }) => refs > 0 && starts > 0);
  next.at(-1)?.become(READY);
  await settled();
  expect(channel.state).toBe(READY);
});

it('the plan connects to an ejected endpoint if all others fail', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(2), settingsOf({ policy: 'pick_first', outlierDetection: true }));
  const [ejected = ''] = inUse(channel);
  await channel.connect(ejected);
  channel.spread(5, () => 13);
  await settled();
  const other = inUse(channel).find((address) => address !== ejected) ?? '';
  channel.to(other).become(TRANSIENT_FAILURE, 'refused');
  const { starts } = channel.to(ejected);
  channel.to(ejected).become(IDLE);
  await settled();
  expect(channel.to(ejected).starts).toBe(starts + 1);
  channel.balancer.destroy();
});

it('the plan removes endpoints from its order that left the list', () => {
  const channel = new FakeChannel();
  for (let step = 0; step < 10; step++) {
    channel.list(addresses(5, 5 * step), settingsOf({ policy: 'pick_first' }));
  }
  const plan = Reflect.get(channel.balancer, 'plan') as { readonly order: readonly unknown[] };
  expect(plan.order).toHaveLength(5);
});

it('the plan dials nothing once its balancer is destroyed', async () => {
  const channel = new FakeChannel();
  channel.list(addresses(2), settingsOf({ policy: 'pick_first' }));
  const [first = ''] = inUse(channel);
  await channel.connect(first);
  channel.to(first).become(IDLE);
  const made = channel.subchannels.length;
  channel.balancer.destroy();
  await settled();
  channel.balancer.exitIdle();
  expect([channel.subchannels.length, inUse(channel)]).toEqual([made, []]);
});
