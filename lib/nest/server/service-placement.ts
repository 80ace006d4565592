/** Which of an application's gRPC servers offer which of its services. */
import type { GrpcServerIdentity } from './grpc-servers.service.js';
import { optionReader } from '../options/option-reader.js';
import type { ResolvedService } from '../options/validate-service.js';

/**
 * Whether a server offers a service: every server does, unless the service's option `server` names others.
 */
export function isOfferedAt(
  { server }: Pick<ResolvedService, 'server'>,
  { url, packages }: GrpcServerIdentity,
): boolean {
  return server === undefined || server === url || packages.includes(server);
}

/**
 * Checks that at least one server offers each service: a misspelt name would keep a service out of the
 * registry.
 *
 * @param onWarning called with a text if the application has no server so far; one may be added later
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function checkPlacement(
  services: readonly Pick<ResolvedService, 'name' | 'server'>[],
  servers: readonly GrpcServerIdentity[],
  onWarning: (text: string) => void,
): void {
  if (services.length === 0) return;
  if (servers.length === 0) {
    const names = services.map(({ name }) => `"${name}"`).join(', ');
    onWarning(
      `Service ${names} is not registered: this application has no gRPC server. Clients cannot find it. Add a microservice with Transport.GRPC, or remove the option "service".`,
    );
    return;
  }
  for (const service of services) {
    if (servers.some((server) => isOfferedAt(service, server))) continue;
    const all = servers.map(({ url, packages }) => `${url} (${packages.join(', ')})`).join(', ');
    optionReader.reject(
      'service.server',
      service.server,
      `the url or a package of a gRPC server of this application, which has ${all}`,
    );
  }
}
