import { expect, it } from 'vitest';
import { StaticRegistry } from '../../../lib/registry/static-registry.js';
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import { describeRegistryContract, endpointAt, Follower } from '../../support/registry-contract.js';

describeRegistryContract(
  'StaticRegistry',
  (services) => {
    const registry = new StaticRegistry(services);
    return { registry, observer: registry };
  },
  { readOnly: true },
);

it('takes the hard-coded list of addresses, in its order', () => {
  const registry = new StaticRegistry({
    api: ['localhost:9999', 'localhost:9998', endpointAt('localhost:9997', 'mine', { weight: 2 })],
  });
  const { updates } = new Follower(registry, 'api');
  expect(registry.scheme).toBe('static');
  expect(updates).toHaveLength(1);
  const [update] = updates;
  expect(update?.kind === 'reset' ? [...update.snapshot.values()] : []).toEqual([
    endpointAt('localhost:9999'),
    endpointAt('localhost:9998'),
    endpointAt('localhost:9997', 'mine', { weight: 2 }),
  ]);
});

it.each(['', 'h', 'h:0', 'h:65536', 'http://h:1', '::1:80'])(
  'refuses the address %j, naming it, its service and what is allowed',
  (address) => {
    const create = (): unknown => new StaticRegistry({ api: ['h:1', address] });
    expect(create).toThrow(DiscoveryError);
    expect(create).toThrow(
      `[INVALID_OPTION] address "${address}" of service "api" cannot be dialled; allowed: host:port`,
    );
  },
);

it('takes ports of this machine, as the program did that all began with', () => {
  const { updates } = new Follower(new StaticRegistry({ api: [9999, 9998, 9997] }), 'api');
  const [update] = updates;
  expect(update?.kind === 'reset' ? [...update.snapshot.keys()] : []).toEqual([
    'localhost:9999',
    'localhost:9998',
    'localhost:9997',
  ]);
});

it.each([
  [undefined, 'the services are undefined'],
  [['h:1'], 'the services are ["h:1"]'],
  [{ api: 'h:1' }, 'the endpoints of service "api" are "h:1"'],
  [{ api: [0] }, 'address "localhost:0" of service "api" cannot be dialled'],
  [{ api: [null] }, 'address undefined of service "api" cannot be dialled'],
  [
    { api: [{ address: 'h:1', metadata: null, discovery: { weight: '2' } }] },
    'discovery.weight of h:1 of service "api" is "2"',
  ],
  [
    { api: [{ address: 'h:1', metadata: null, discovery: 'a' }] },
    'discovery of h:1 of service "api" is "a"',
  ],
])('refuses %j with what is allowed', (services, text) => {
  const create = (): unknown => new StaticRegistry(services as never);
  expect(create).toThrow(`[INVALID_OPTION] ${text}`);
  expect(create).toThrow('allowed: ');
});
