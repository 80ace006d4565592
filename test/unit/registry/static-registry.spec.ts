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
    api: ['localhost:9999', 'localhost:9998', endpointAt('localhost:9997', { weight: 2 })],
  });
  const { updates } = new Follower(registry, 'api');
  expect(registry.scheme).toBe('static');
  expect(updates).toHaveLength(1);
  const [update] = updates;
  expect(update?.kind === 'reset' ? [...update.snapshot.values()] : []).toEqual([
    endpointAt('localhost:9999'),
    endpointAt('localhost:9998'),
    endpointAt('localhost:9997', { weight: 2 }),
  ]);
});

it.each(['', 'h', 'h:0', 'h:65536', 'http://h:1', '::1:80'])(
  'refuses the address %j, naming it, its service and what is allowed',
  (address) => {
    const create = (): unknown => new StaticRegistry({ api: ['h:1', address] });
    expect(create).toThrow(DiscoveryError);
    expect(create).toThrow(
      `[INVALID_OPTION] address "${address}" of static service "api" cannot be dialled; allowed: host:port`,
    );
  },
);
