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

it('a static registry takes the hard-coded list of addresses, in its order', () => {
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
  'a static registry refuses the address %j, and names the position of the address and what is allowed',
  (address) => {
    const create = (): unknown => new StaticRegistry({ api: ['h:1', address] });
    expect(create).toThrow(DiscoveryError);
    expect(create).toThrow(
      `[INVALID_OPTION] services["api"][1] is "${address}"; allowed: host:port`,
    );
  },
);

it('a static registry accepts ports of localhost', () => {
  const { updates } = new Follower(new StaticRegistry({ api: [9999, 9998, 9997] }), 'api');
  const [update] = updates;
  expect(update?.kind === 'reset' ? [...update.snapshot.keys()] : []).toEqual([
    'localhost:9999',
    'localhost:9998',
    'localhost:9997',
  ]);
});

it.each([
  [undefined, 'services is undefined'],
  [['h:1'], 'services is ["h:1"]'],
  [{ api: 'h:1' }, 'services["api"] is "h:1"'],
  [{ api: ['h:1', 0] }, 'services["api"][1] is 0'],
  [{ api: [null] }, 'services["api"][0] is null'],
  [{ api: [{ address: 'h', metadata: null }] }, 'services["api"][0].address is "h"'],
  [
    { api: [{ address: 'h:1', metadata: null, discovery: { weight: '2' } }] },
    'services["api"][0].discovery.weight is "2"',
  ],
  [
    { api: [{ address: 'h:1', metadata: null, discovery: 'a' }] },
    'services["api"][0].discovery is "a"',
  ],
])('a static registry refuses %j, and says what is allowed', (services, text) => {
  const create = (): unknown => new StaticRegistry(services as never);
  expect(create).toThrow(`[INVALID_OPTION] ${text}`);
  expect(create).toThrow('allowed: ');
});

it('every removal from a static registry is final: its list does not expire', () => {
  expect(new StaticRegistry({}).removalsAreFinal).toBe(true);
});
