import { expect, it } from 'vitest';
import type { DiscoveryEvent } from '../../../lib/core/discovery-event.js';
import { MemoryRegistry } from '../../../lib/registry/memory-registry.js';
import {
  announce,
  describeRegistryContract,
  endpointAt,
  Follower,
} from '../../support/registry-contract.js';

describeRegistryContract('MemoryRegistry', (services) => {
  const registry = new MemoryRegistry();
  for (const [service, endpoints] of Object.entries(services)) {
    registry.setEndpoints(service, endpoints);
  }
  return { registry, observer: registry };
});

it('setEndpoints replaces the whole list in one update, given as addresses or endpoints', () => {
  const registry = new MemoryRegistry();
  registry.setEndpoints('api', ['h:1', endpointAt('h:2', { weight: 2 })]);
  const follower = new Follower(registry, 'api');
  registry.setEndpoints('api', [endpointAt('h:2', { weight: 3 }), 'h:3']);
  expect(follower.updates).toEqual([
    {
      kind: 'reset',
      snapshot: new Map([
        ['h:1', endpointAt('h:1')],
        ['h:2', endpointAt('h:2', { weight: 2 })],
      ]),
    },
    {
      kind: 'change',
      change: {
        put: new Map([
          ['h:2', endpointAt('h:2', { weight: 3 })],
          ['h:3', endpointAt('h:3')],
        ]),
        removed: ['h:1'],
      },
    },
  ]);
  expect(registry.endpoints('api')).toEqual([endpointAt('h:2', { weight: 3 }), endpointAt('h:3')]);
});

it('a write without a change causes no update', () => {
  const registry = new MemoryRegistry();
  registry.setEndpoints('api', ['h:1']);
  const follower = new Follower(registry, 'api');
  registry.setEndpoints('api', ['h:1']);
  expect(follower.updates).toHaveLength(1);
});

it('endpoints shows registrations too', async () => {
  const registry = new MemoryRegistry();
  const [registration] = await announce(registry, 'api', endpointAt('h:1', { zone: 'a' }));
  expect(registry.endpoints('api')).toEqual([endpointAt('h:1', { zone: 'a' })]);
  await registration?.close();
  expect(registry.endpoints('api')).toEqual([]);
  expect(registry.endpoints('nobody')).toEqual([]);
});

it('a memory registry has the scheme memory, or that of its subclass', () => {
  class UserRegistry extends MemoryRegistry {
    override readonly scheme = 'user';
  }
  expect(new MemoryRegistry().scheme).toBe('memory');
  expect(new UserRegistry().scheme).toBe('user');
});

it('an update() that a listener calls during the event deregistered has no effect', async () => {
  const registry = new MemoryRegistry();
  const [registration] = await announce(registry, 'api', endpointAt('h:1'));
  const types: string[] = [];
  registry.events$.subscribe(({ type }) => {
    types.push(type);
    registration?.update(endpointAt('h:1', { weight: 9 }));
  });
  await registration?.close();
  expect(types).toEqual(['deregistered']);
  expect(registry.endpoints('api')).toEqual([]);
});

it('a record that is registered again during the close of the earlier one stays', async () => {
  const registry = new MemoryRegistry();
  const [first] = await announce(registry, 'api', endpointAt('h:1'));
  const closing = first?.close();
  await announce(registry, 'api', endpointAt('h:1', { version: '2' }));
  await closing;
  expect(registry.endpoints('api')).toEqual([endpointAt('h:1', { version: '2' })]);
});

it('a memory registry reports each registration and each removal, with the key of the record', async () => {
  const registry = new MemoryRegistry();
  const events: DiscoveryEvent[] = [];
  registry.events$.subscribe((event) => events.push(event));
  const [registration] = await announce(registry, 'api', endpointAt('h:1'));
  const key = registration?.status.key;
  expect(events).toEqual([{ type: 'registered', key, leaseId: '' }]);
  await registration?.close();
  expect(events.slice(1)).toEqual([{ type: 'deregistered', key }]);
});

it('every removal from a memory registry is final: its records do not expire', () => {
  expect(new MemoryRegistry().removalsAreFinal).toBe(true);
});

it('an update of a registration with the same content causes no update of the list; one with other content causes one', async () => {
  const registry = new MemoryRegistry();
  const [registration] = await announce(registry, 'api', endpointAt('h:1', { zone: 'a' }));
  const follower = new Follower(registry, 'api');
  registration?.update(endpointAt('h:1', { zone: 'a' }));
  expect(follower.updates).toHaveLength(1);
  registration?.update(endpointAt('h:1', { zone: 'b' }));
  expect(follower.updates).toHaveLength(2);
  expect(registry.endpoints('api')).toEqual([endpointAt('h:1', { zone: 'b' })]);
});

it('the removal of a record that is not in the list any more causes no update', async () => {
  const registry = new MemoryRegistry();
  const [registration] = await announce(registry, 'api', endpointAt('h:1'));
  registry.setEndpoints('api', ['h:2']);
  const follower = new Follower(registry, 'api');
  await registration?.close();
  expect(follower.updates).toHaveLength(1);
});

it('a subscriber gets the list of the time at which it subscribes, and later changes leave that list alone', () => {
  const registry = new MemoryRegistry();
  const updates = registry.watch('api');
  registry.setEndpoints('api', ['h:1']);
  const follower = { kinds: [] as string[], sizes: [] as number[] };
  updates.subscribe((update) => {
    follower.kinds.push(update.kind);
    if (update.kind !== 'reset') return;
    follower.sizes.push(update.snapshot.size);
    registry.setEndpoints('api', []);
    follower.sizes.push(update.snapshot.size);
  });
  expect(follower.sizes).toEqual([1, 1]);
});

it('close() of a memory registry removes every record that is still registered', async () => {
  const registry = new MemoryRegistry();
  const open = await announce(registry, 'api', endpointAt('h:1'), endpointAt('h:2'));
  const events: string[] = [];
  await open[0]?.close();
  registry.events$.subscribe(({ type }) => events.push(type));
  await registry.close();
  expect(events).toEqual(['deregistered']);
  expect(registry.endpoints('api')).toEqual([]);
  expect(open.map(({ status }) => status.state)).toEqual(['deregistered', 'deregistered']);
});
