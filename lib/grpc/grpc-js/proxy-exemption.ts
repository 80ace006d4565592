/**
 * Keeps targets of registries from HTTP proxies: their endpoints are instances inside, and a proxy that `http_proxy` names would
 * be asked for a host which is no host. Channels of our own say so in an option; for those that others make, grpc-js's
 * own choice of a proxy is asked first. Where grpc-js looks different inside than expected, nothing is changed.
 */
import { createRequire } from 'node:module';
import type { GrpcUri } from './grpc-experimental.js';
import { packageLocation } from '../../core/package-location.js';

type MapProxyName = (target: GrpcUri, options: unknown) => object;

const exempt = new Set<string>();
let isInstalled = false;

/** Has no target of a scheme go to a proxy. May be called again. */
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
    // A bundle, in which modules have no places of their own.
    return undefined;
  }
}
