/** Endpoints as people write them down. */
import { parseAddress } from '../core/address.js';
import { DiscoveryError } from '../core/discovery-error.js';
import { discoveryFault } from '../core/records/discovery-fields.js';
import type { Endpoint } from '../core/records/endpoint.js';

/** An address (`host:port`), a port of this machine, or a whole endpoint. */
export type GivenEndpoint = string | number | Endpoint;

/**
 * The endpoint that is meant: `9999` is `localhost:9999`.
 *
 * @throws DiscoveryError `INVALID_OPTION` for one that nobody could dial, or whose `discovery` is wrong
 */
export function toEndpoint(service: string, given: GivenEndpoint): Endpoint {
  const address = typeof given === 'number' ? `localhost:${given}` : given;
  const endpoint = typeof address === 'string' ? { address, metadata: null } : address;
  if (typeof endpoint?.address === 'string' && parseAddress(endpoint.address) !== undefined) {
    requireDiscovery(service, endpoint);
    return endpoint;
  }
  const shown = typeof endpoint === 'object' ? endpoint?.address : endpoint;
  throw new DiscoveryError(
    'INVALID_OPTION',
    `address ${JSON.stringify(shown)} of service "${service}" cannot be dialled; allowed: host:port, [ipv6]:port with a port from 1 to 65535, unix:path, or a port of localhost`,
  );
}

function requireDiscovery(service: string, { address, discovery }: Endpoint): void {
  const fault = discovery === undefined ? undefined : discoveryFault(discovery);
  if (fault === undefined) return;
  const field = fault.field === undefined ? 'discovery' : `discovery.${fault.field}`;
  const shown = typeof fault.value === 'string' ? JSON.stringify(fault.value) : String(fault.value);
  throw new DiscoveryError(
    'INVALID_OPTION',
    `${field} of ${address} of service "${service}" is ${shown}; allowed: ${fault.allowed}`,
  );
}

/**
 * The endpoints of one service by their addresses.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function toEndpoints(
  service: string,
  given: readonly GivenEndpoint[],
): Map<string, Endpoint> {
  if (!Array.isArray(given)) {
    throw new DiscoveryError(
      'INVALID_OPTION',
      `the endpoints of service "${service}" are ${JSON.stringify(given)}; allowed: an array of addresses`,
    );
  }
  const endpoints = given.map((one: GivenEndpoint) => toEndpoint(service, one));
  return new Map(endpoints.map((endpoint) => [endpoint.address, endpoint]));
}
