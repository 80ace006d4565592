import { afterEach, expect, it, vi } from 'vitest';
import type { BoundServer } from '../../../../lib/nest/server/grpc-servers.service.js';
import { ServiceAddresses } from '../../../../lib/nest/server/service-addresses.js';
import { validateServices } from '../../../../lib/nest/options/validate-service.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** The code under test reads only these two fields of a bound server. */
const server = { url: '0.0.0.0:0', addresses: ['0.0.0.0:4000'] } as unknown as BoundServer;

it('the registrar warns once about a POD_IP that is no address, however often it needs one', async () => {
  vi.stubEnv('POD_IP', '0.0.0.0');
  const warnings: string[] = [];
  const addresses = new ServiceAddresses({ etcd: undefined }, (text) => warnings.push(text));
  const [one, two] = validateServices([{ name: 'one' }, { name: 'two' }]);
  if (one === undefined || two === undefined) throw new Error('two services were given');
  for (const service of [one, two, one]) {
    expect(await addresses.of(service, server)).not.toContain('0.0.0.0');
  }
  expect(warnings).toHaveLength(1);
});
