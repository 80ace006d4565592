/** What can be announced in a registry. */
import { isWildcardHost, parseAddress } from '../core/address.js';
import { DiscoveryError } from '../core/discovery-error.js';
import { discoveryFault } from '../core/records/discovery-fields.js';
import { isServiceName, SERVICE_NAME_ALLOWED } from '../core/service-name.js';
import type { RegistrationRequest } from './registration.js';

/**
 * Refuses what no client could find, dial or read.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function checkRegistration({ service, endpoint, ttlSeconds }: RegistrationRequest): void {
  if (typeof service !== 'string' || !isServiceName(service)) {
    refuse('service', service, SERVICE_NAME_ALLOWED);
  }
  if (!Number.isFinite(ttlSeconds) || ttlSeconds < 1) {
    refuse('ttlSeconds', ttlSeconds, 'a number of seconds, 1 or more');
  }
  const { address, discovery } = endpoint;
  const parsed = typeof address === 'string' ? parseAddress(address) : undefined;
  if (parsed === undefined || (parsed.kind === 'tcp' && isWildcardHost(parsed.host))) {
    refuse(
      'endpoint.address',
      address,
      'host:port or [ipv6]:port with a port from 1 to 65535 and a host that is no wildcard, or unix:path',
    );
  }
  const fault = discovery === undefined ? undefined : discoveryFault(discovery);
  if (fault === undefined) return;
  const field = fault.field === undefined ? '' : `.${fault.field}`;
  refuse(`endpoint.discovery${field}`, fault.value, fault.allowed);
}

function refuse(field: string, value: unknown, allowed: string): never {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  throw new DiscoveryError(
    'INVALID_OPTION',
    `registration.${field} is ${shown}; allowed: ${allowed}`,
  );
}
