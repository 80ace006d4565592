/**
 * Registers resolvers for the schemes of registries. grpc-js has one table of resolvers per process; this
 * file owns our entries in that table, so that several applications with different registries do not disturb
 * each other.
 */
import type { ChannelOptions } from '@grpc/grpc-js';
import { DEFAULT_REMOVAL_GUARD } from '../../core/snapshot/removal-guard.js';
import { argumentReader } from '../../core/values/value-reader.js';
import { ruleOf } from '../../core/values/value-rule.js';
import { DirectoryPool } from '../../registry/directory/directory-pool.js';
import type { Registry } from '../../registry/registry.js';
import { systemClock } from '../../registry/system-clock.js';
import {
  assertSupportedGrpc,
  type GrpcUri,
  registerResolver,
  type ResolverListener,
} from '../grpc-js/grpc-experimental.js';
import { governAttempts } from '../grpc-js/grpc-private-attempts.js';
import { installBalancer } from '../balancer/install-balancer.js';
import { exemptFromProxies } from '../grpc-js/proxy-exemption.js';
import { RegistryResolver } from './registry-resolver.js';

/** Schemes that have a meaning in gRPC already; a registry cannot use them. */
const RESERVED_SCHEMES = [
  'dns',
  'ipv4',
  'ipv6',
  'unix',
  'unix-abstract',
  'vsock',
  'xds',
  'passthrough',
  'http',
  'https',
];

const SCHEME = ruleOf(
  `lower case letters, digits, "+", ".", "-", starting with a letter, and none of ${RESERVED_SCHEMES.join(', ')}`,
  (value): value is string =>
    typeof value === 'string' &&
    /^[a-z][a-z0-9+.-]*$/.test(value) &&
    !RESERVED_SCHEMES.includes(value),
);

const installed = new Set<string>();
const defaults = new Map<string, DirectoryPool[]>();

/**
 * Makes a scheme resolvable for channels that carry their own discovery. May be called again.
 *
 * @throws DiscoveryError `INVALID_OPTION` for a scheme that is malformed or reserved, `UNSUPPORTED_VERSION`
 */
export function installResolver(scheme: string): void {
  if (installed.has(scheme)) return;
  argumentReader.required('registry.scheme', scheme, SCHEME);
  assertSupportedGrpc();
  governAttempts(installed);
  installBalancer();
  // URIs ignore the case of a scheme, but grpc-js does not: register the spellings that users may write.
  const capitalised = scheme.charAt(0).toUpperCase() + scheme.slice(1);
  for (const spelling of [scheme, capitalised, scheme.toUpperCase()]) {
    registerResolver(spelling, TableResolver);
    exemptFromProxies(spelling);
  }
  installed.add(scheme);
}

/**
 * Makes `scheme:///service` dialable for every grpc-js channel of the process, and so for Nest's own
 * `ClientsModule`: after `registerDiscoveryResolver(new EtcdRegistry({ hosts }))` the target `etcd:///api`
 * resolves. A channel without `grpc.service_config` balances by `round_robin`. Of several registries with the
 * same scheme, the one registered last is used; clients of `DiscoveryModule` always use the registry of their
 * own module.
 *
 * @returns a function that removes the registration; it does not close the registry
 * @throws DiscoveryError `INVALID_OPTION`, `UNSUPPORTED_VERSION`
 */
export function registerDiscoveryResolver(registry: Registry): () => void {
  const { scheme } = registry;
  installResolver(scheme);
  const pool = new DirectoryPool(registry, {
    clock: systemClock,
    removalGuard: DEFAULT_REMOVAL_GUARD,
  });
  defaults.set(scheme, [...(defaults.get(scheme) ?? []), pool]);
  return () => {
    const others = (defaults.get(scheme) ?? []).filter((other) => other !== pool);
    defaults.set(scheme, others);
  };
}

class TableResolver extends RegistryResolver {
  constructor(target: GrpcUri, listener: ResolverListener, options: ChannelOptions) {
    super(target, listener, options, (scheme) => defaults.get(scheme)?.at(-1));
  }
}
