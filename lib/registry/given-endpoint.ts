/** Endpoints in the forms that a user may give. */
import { parseAddress } from '../core/address.js';
import { checkDiscovery } from '../core/records/discovery-fields.js';
import type { Endpoint } from '../core/records/endpoint.js';
import { argumentReader } from '../core/values/value-reader.js';
import { arrayOf, FIELDS, inWords, ruleOf } from '../core/values/value-rule.js';

/** An address (`host:port`), a port of this machine, or a whole endpoint. */
export type GivenEndpoint = string | number | Endpoint;

/** The endpoints of several services, by the names of the services. */
export type GivenServices = Readonly<Record<string, readonly GivenEndpoint[]>>;

const SERVICES = inWords('an object of arrays of addresses by service name', FIELDS);
const LIST = arrayOf('addresses');
const ADDRESS = ruleOf(
  'host:port, [ipv6]:port with a port from 1 to 65535, unix:path, or a port of localhost',
  (value): value is string => typeof value === 'string' && parseAddress(value) !== undefined,
);

/** Converts a given endpoint: `9999` is `localhost:9999`. */
function toEndpoint(name: string, given: GivenEndpoint): Endpoint {
  const isEndpoint = typeof given === 'object' && given !== null;
  if (isEndpoint) {
    argumentReader.required(`${name}.address`, given.address, ADDRESS);
    if (given.discovery !== undefined) {
      checkDiscovery(argumentReader, `${name}.discovery`, given.discovery);
    }
    return given;
  }
  const address = typeof given === 'number' ? `localhost:${given}` : given;
  if (ADDRESS.read(address) === undefined) argumentReader.required(name, given, ADDRESS);
  return { address, metadata: null };
}

/**
 * The endpoints of one service by their addresses.
 *
 * @throws DiscoveryError `INVALID_OPTION` for an address that no client could dial, or a wrong `discovery`
 */
export function toEndpoints(
  service: string,
  given: readonly GivenEndpoint[],
): Map<string, Endpoint> {
  const name = `services[${JSON.stringify(service)}]`;
  argumentReader.required(name, given, LIST);
  const endpoints = given.map((one, at) => toEndpoint(`${name}[${at}]`, one));
  return new Map(endpoints.map((endpoint) => [endpoint.address, endpoint]));
}

/**
 * The endpoints of several services.
 *
 * @throws DiscoveryError `INVALID_OPTION` as {@link toEndpoints}
 */
export function toServices(given: GivenServices): Map<string, Map<string, Endpoint>> {
  argumentReader.required('services', given, SERVICES);
  const lists = Object.entries(given);
  return new Map(lists.map(([service, list]) => [service, toEndpoints(service, list)]));
}
