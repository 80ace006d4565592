/** The hash key of a request reaches the picker, and no server. */
import { type Interceptor, type InterceptorOptions, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  createHashKeyInterceptor,
  HASH_KEY_HEADER,
} from '../../../../lib/grpc/interceptors/hash-key.js';
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

/** Begins a call through the interceptor; the key of a request is what `keyOf` returns for it. */
function begin(keyOf: (request: unknown) => string | undefined, requestStream = false) {
  const steps: unknown[] = [];
  const started: Metadata[] = [];
  const call = {
    start(metadata: Metadata) {
      started.push(metadata);
      steps.push('start');
    },
    sendMessageWithContext: (_context: unknown, request: unknown) => steps.push(request),
  };
  const nextCall = (() => call) as unknown as Parameters<Interceptor>[1];
  const options = { method_definition: { requestStream } } as InterceptorOptions;
  const metadata = new Metadata();
  const intercepted = createHashKeyInterceptor(keyOf)(options, nextCall);
  intercepted.start(metadata);
  const send = (request: unknown) => intercepted.sendMessageWithContext({}, request);
  return { metadata, send, started, steps };
}

const keys = (metadata: Metadata | undefined): string[] | undefined =>
  metadata?.get(HASH_KEY_HEADER).map(String);

describe('the interceptor of a client with a hash key', () => {
  it('starts a call when its request is known, with the key of the request', () => {
    const { metadata, send, started, steps } = begin((request) => `key of ${String(request)}`);
    expect(steps).toEqual([]);
    send('张三');
    expect(steps).toEqual(['start', '张三']);
    expect(keys(started[0])).toEqual(['key of 张三']);
    // The caller may use its metadata for another call.
    expect(metadata.getMap()).toEqual({});
  });

  it('starts a call without a key if its request has none', () => {
    const { metadata, send, started, steps } = begin(() => undefined);
    send('request');
    expect(steps).toEqual(['start', 'request']);
    expect(started[0]).toBe(metadata);
    expect(keys(metadata)).toEqual([]);
  });

  it('starts a call with a stream of requests at once, without a key', () => {
    const { send, started, steps } = begin(String, true);
    expect(steps).toEqual(['start']);
    send('first');
    expect(keys(started[0])).toEqual([]);
  });

  it('throws the error of the function that computes the key, and starts no call', () => {
    const { send, steps } = begin(() => {
      throw new Error('no such field');
    });
    expect(() => send('request')).toThrow('no such field');
    expect(steps).toEqual([]);
  });
});
