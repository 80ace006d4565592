/** Checks what a server wants to announce in a registry. */
import { SERVER_ADDRESS } from '../core/address.js';
import { checkDiscovery } from '../core/records/discovery-fields.js';
import { SERVICE_NAME } from '../core/service-name.js';
import { argumentReader } from '../core/values/value-reader.js';
import { numberWithin } from '../core/values/value-rule.js';
import type { RegistrationRequest } from './registration.js';

/** A time to live of at least 1 s; each registry has its own upper bound. */
const TTL_SECONDS = numberWithin(1, Number.MAX_VALUE, 'seconds');

/**
 * Rejects a registration that no client could find, dial or read.
 *
 * @throws DiscoveryError `INVALID_OPTION`
 */
export function checkRegistration({ service, endpoint, ttlSeconds }: RegistrationRequest): void {
  argumentReader.required('registration.service', service, SERVICE_NAME);
  argumentReader.required('registration.ttlSeconds', ttlSeconds, TTL_SECONDS);
  const { address, discovery } = endpoint;
  argumentReader.required('registration.endpoint.address', address, SERVER_ADDRESS);
  if (discovery === undefined) return;
  checkDiscovery(argumentReader, 'registration.endpoint.discovery', discovery);
}
