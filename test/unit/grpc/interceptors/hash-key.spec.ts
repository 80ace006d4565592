/** The hash key of a request reaches the picker, and no server. */
import { Metadata } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { HASH_KEY_HEADER } from '../../../../lib/grpc/interceptors/hash-key.js';
import { addresses, addressOf, endpoint, FakeChannel, settingsOf } from '../fake-channel.js';

async function hashing(): Promise<FakeChannel> {
  const channel = new FakeChannel();
  const list = addresses(10);
  const settings = settingsOf({ policy: 'consistent_hash', hashKey: String });
  channel.list(
    list.map((address) => endpoint(address)),
    settings,
  );
  await channel.connect(...list);
  return channel;
}

function pick(channel: FakeChannel, key: string): [address: string, metadata: Metadata] {
  const metadata = new Metadata();
  metadata.set(HASH_KEY_HEADER, Buffer.from(key));
  const result = channel.picker?.pick({ metadata, extraPickInfo: {} });
  if (result === undefined) throw new Error('nothing was published');
  return [addressOf(result), metadata];
}

it('calls with one hash key go to one endpoint, and calls with different keys spread', async () => {
  const channel = await hashing();
  const places = new Set<string>();
  for (let key = 0; key < 50; key++) {
    const [address] = pick(channel, `张三 ${key}`);
    expect(pick(channel, `张三 ${key}`)[0]).toBe(address);
    places.add(address);
  }
  expect(places.size).toBeGreaterThan(7);
});

it('the picker removes the hash key from the metadata that is sent', async () => {
  const [, metadata] = pick(await hashing(), 'key');
  expect(metadata.getMap()).toEqual({});
});
