/** The other entry point of the package, to be found by every way in which TypeScript looks for modules. */
import type { MemoryRegistry } from 'nestjs-grpc-discovery';
import { createTestingRegistry } from 'nestjs-grpc-discovery/testing';

export function testRegistry(): MemoryRegistry {
  return createTestingRegistry({ api: ['127.0.0.1:50051'] });
}
