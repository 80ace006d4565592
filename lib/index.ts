/** The whole public surface. */
export type { Clock, Random } from './core/clock.js';
export { DiscoveryError, type DiscoveryErrorCode } from './core/discovery-error.js';
export type { DiscoveryEvent } from './core/discovery-event.js';
export type { Endpoint, JsonValue } from './core/records/endpoint.js';
export type { RegistryUpdate } from './core/snapshot/registry-update.js';
export type { Snapshot, SnapshotChange } from './core/snapshot/snapshot.js';
export type { EtcdAuth, EtcdOptions, EtcdTls } from './etcd/etcd-options.js';
export type { EtcdTimings } from './etcd/etcd-timings.js';
export { EtcdRegistry, type EtcdRegistryPorts } from './etcd/etcd-registry.js';
export type { Candidate } from './balance/candidate.js';
export type { EndpointLoad } from './balance/load/endpoint-load.js';
export type { FleetLoad } from './balance/load/fleet-load.js';
export type { LocalityOptions } from './balance/modifiers/locality-split.js';
export type { OutlierOptions } from './balance/modifiers/outlier-detection.js';
export type { Picker, PickRequest } from './balance/picker.js';
export type { PickerContext, PickerFactory } from './balance/policy-definition.js';
export type { Pool } from './balance/pool.js';
export type { CanaryOptions, EndpointMatch, RoutingOptions } from './balance/modifiers/routing.js';
export type { SlowStartOptions } from './balance/modifiers/slow-start.js';
export {
  type LoadBalancingOptions,
  type LoadBalancingPolicy,
  registerLoadBalancingPolicy,
} from './grpc/balancer/policies.js';
export { registerDiscoveryResolver } from './grpc/resolver/resolver-table.js';
export type { RetryOptions } from './grpc/service-config/retry-policy.js';
export { DiscoveryModule } from './nest/discovery.module.js';
export type {
  ClientDefaults,
  ClientDefinition,
  DiscoveryModuleAsyncOptions,
  DiscoveryModuleOptions,
  DiscoveryOptionsFactory,
  RemovalGuardOptions,
  ServiceOptions,
} from './nest/options/discovery-options.js';
export { GrpcClientFactory } from './nest/client/grpc-client.factory.js';
export {
  type RegistrarState,
  type RegistrarStatus,
  ServiceRegistrar,
} from './nest/server/grpc-registrar.service.js';
export {
  getGrpcClientToken,
  InjectGrpcClient,
} from './nest/client/inject-grpc-client.decorator.js';
export type { ReadinessCheck, ReadinessOptions } from './nest/readiness-gate.js';
export type { RecordUpdate } from './nest/options/validate-service.js';
export { DirectoryPool } from './registry/directory/directory-pool.js';
export { MemoryRegistry } from './registry/memory-registry.js';
export type {
  Registration,
  RegistrationRequest,
  RegistrationState,
  RegistrationStatus,
} from './registry/registration.js';
export { Registry } from './registry/registry.js';
export type { DirectoryState } from './registry/directory/service-directory.js';
export { StaticRegistry, type StaticServices } from './registry/static-registry.js';
