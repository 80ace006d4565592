/**
 * Keeps targets of registries from HTTP proxies: a proxy that `http_proxy` names would be asked for the name
 * of a service, which is no host. Channels of this library switch proxies off by an option; for plain
 * channels, grpc-js's private choice of a proxy is wrapped. If grpc-js does not have that function, nothing
 * is changed.
 */
import { createRequire } from 'node:module';
import type { GrpcUri } from './grpc-experimental.js';
import { packageLocation } from '../../core/package-location.js';

type MapProxyName = (target: GrpcUri, options: unknown) => object;

const exempt = new Set<string>();
let isInstalled = false;

/** Keeps all targets of a scheme from proxies. May be called again. */
export function exemptFromProxies(scheme: string): void {
  exempt.add(scheme);
  if (isInstalled) return;
  isInstalled = true;
  const proxies = proxyModule();
  const mapProxyName = proxies?.mapProxyName;
  if (proxies === undefined || typeof mapProxyName !== 'function') return;
  proxies.mapProxyName = (target, options) =>
    exempt.has(target.scheme ?? '') ? { target, extraOptions: {} } : mapProxyName(target, options);
}

function proxyModule(): { mapProxyName?: MapProxyName } | undefined {
  try {
    const load = createRequire(packageLocation(process.cwd() + '/'));
    return load('@grpc/grpc-js/build/src/http_proxy.js') as { mapProxyName?: MapProxyName };
  } catch {
    // In a bundle, modules cannot be loaded by their paths.
    return undefined;
  }
}
