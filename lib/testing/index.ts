/**
 * `nestjs-grpc-discovery/testing`: what tests and development need without an installed etcd. Not for
 * production.
 */
export type { Credentials } from './embedded-etcd/store/auth-book.js';
export { EmbeddedEtcd, type EmbeddedEtcdOptions } from './embedded-etcd/embedded-etcd.js';
export { FakeClock } from './fake-clock.js';
export type { Faults, NoLeaderOptions } from './embedded-etcd/faults.js';
export { createTestingRegistry } from './testing-registry.js';
