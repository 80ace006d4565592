import { describe, expect, it } from 'vitest';
import type { Endpoint, JsonValue } from '../../../../lib/core/records/endpoint.js';
import { EndpointStore } from '../../../../lib/core/snapshot/endpoint-store.js';
import { seededRandom } from '../../../support/seeded-random.js';

const endpoint = (address: string, metadata: JsonValue = null): Endpoint => ({ address, metadata });
const addresses = (store: EndpointStore) => store.usable.map(({ address }) => address);

describe('the usable endpoints of a store', () => {
  it('have one endpoint per address, that of the first key', () => {
    const store = new EndpointStore(
      new Map([
        ['api/x', endpoint('h:1', { weight: 1 })],
        ['api/y', endpoint('h:2')],
        ['api/z', endpoint('h:1', { weight: 9 })],
      ]),
    );
    expect(store.usable).toEqual([endpoint('h:1', { weight: 1 }), endpoint('h:2')]);
    store.delete('api/x');
    expect(store.usable).toEqual([endpoint('h:2'), endpoint('h:1', { weight: 9 })]);
    store.delete('api/z');
    expect(addresses(store)).toEqual(['h:2']);
  });

  it('exclude endpoints that no client can dial', () => {
    const given = ['', 'h', 'h:0', 'http://h:1', 'h:1', 'unix:/s', '[::1]:1'];
    const store = new EndpointStore(new Map(given.map((address) => [address, endpoint(address)])));
    expect(addresses(store)).toEqual(['h:1', 'unix:/s', '[::1]:1']);
    expect(new EndpointStore().usable).toEqual([]);
  });

  it('are the same array until an endpoint changes', () => {
    const store = new EndpointStore(new Map([['a', endpoint('h:1', { a: 1 })]]));
    const before = store.usable;
    store.put('a', endpoint('h:1', { a: 1 }));
    store.delete('missing');
    expect(store.usable).toBe(before);
    store.put('a', endpoint('h:1', { a: 2 }));
    expect(store.usable).not.toBe(before);
    expect(before).toEqual([endpoint('h:1', { a: 1 })]);
  });

  it('keep their order while their records change', () => {
    const store = new EndpointStore(
      new Map([
        ['a', endpoint('h:1')],
        ['b', endpoint('h:2')],
      ]),
    );
    store.put('a', endpoint('h:9'));
    expect(addresses(store)).toEqual(['h:9', 'h:2']);
    expect([store.hasAddress('h:1'), store.hasAddress('h:9')]).toEqual([false, true]);
  });
});

it.each([1, 2, 3])('a store agrees with a plain map after random changes (seed %i)', (seed) => {
  const random = seededRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const store = new EndpointStore();
  const model = new Map<string, Endpoint>();
  for (let step = 0; step < 1_000; step++) {
    const key = `api/${pick(12)}`;
    const next = endpoint(pick(6) === 0 ? 'nonsense' : `h:${1 + pick(5)}`, [null, 1, 2][pick(3)]);
    if (random() < 0.6) {
      store.put(key, next);
      model.set(key, next);
    } else {
      expect(store.delete(key)).toEqual(model.get(key));
      model.delete(key);
    }
    expect([...store.entries()]).toEqual([...model]);
    const all = [...model.values()].map(({ address }) => address);
    const dialable = all.filter((address) => address !== 'nonsense');
    expect(addresses(store)).toEqual([...new Set(dialable)]);
    expect(store.isUnusable).toBe(dialable.length === 0);
    for (const address of ['nonsense', 'h:1', 'h:5']) {
      expect(store.hasAddress(address)).toBe(all.includes(address));
      const keys = [...model].filter(([, one]) => one.address === address).map(([one]) => one);
      expect([...store.keysOf(address)].toSorted()).toEqual(keys.toSorted());
    }
  }
});
