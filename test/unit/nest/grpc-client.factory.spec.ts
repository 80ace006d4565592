import { DirectoryPool, GrpcClientFactory, MemoryRegistry } from 'nestjs-grpc-discovery';
import { systemClock } from '../../../lib/registry/system-clock.js';
import { validateOptions } from '../../../lib/nest/validate-options.js';
import { expect, it } from 'vitest';
import { userProtoPath } from '../../support/user-apps.js';

function createFactory() {
  const registry = new MemoryRegistry();
  const pool = new DirectoryPool(registry, { clock: systemClock });
  const factory = new GrpcClientFactory(validateOptions({ registry }, {}), pool);
  const create = (service: string) =>
    factory.create({ name: service, package: 'user', protoPath: userProtoPath });
  return { pool, factory, create };
}

it('a client that is closed by hand gives up its watch', () => {
  const { pool, create } = createFactory();
  const client = create('api');
  expect([...pool.directories.keys()]).toEqual(['api']);
  client.close();
  expect(pool.directories.size).toBe(0);
});

it('closing one client twice leaves the watch to another of the same service', () => {
  const { pool, factory, create } = createFactory();
  const [first] = [create('api'), create('api')];
  first.close();
  first.close();
  expect([...pool.directories.keys()]).toEqual(['api']);
  factory.onApplicationShutdown();
  expect(pool.directories.size).toBe(0);
});

it('the application closes the clients that nobody has closed', () => {
  const { pool, factory, create } = createFactory();
  const clients = [create('api'), create('billing')];
  clients[0]?.getService('User');
  factory.onApplicationShutdown();
  expect(pool.directories.size).toBe(0);
  expect(() => create('late')).toThrow(/\[CLOSED\]/);
});
