/** A registry for tests of applications: in memory, with the lists that a test gives. */
import { MemoryRegistry } from '../registry/memory-registry.js';
import type { StaticServices } from '../registry/static-registry.js';

/**
 * A `MemoryRegistry` that begins with the given lists: `createTestingRegistry({ api: ['127.0.0.1:50051'] })`,
 * for `DiscoveryModule.forRoot({ registry })`. `setEndpoints` changes a list, and clients follow at once;
 * servers that register with it are found in it. An application closes its registry when it shuts down, also
 * for other applications that share the registry: close the server and the client of a test together, at its
 * end.
 */
export function createTestingRegistry(services: StaticServices = {}): MemoryRegistry {
  const registry = new MemoryRegistry();
  for (const [service, endpoints] of Object.entries(services)) {
    registry.setEndpoints(service, endpoints);
  }
  return registry;
}
