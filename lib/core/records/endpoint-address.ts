/** Parses the address of each endpoint only once: every update of a list needs it, and it never changes. */
import { type DialAddress, parseAddress } from '../address.js';
import type { Endpoint } from './endpoint.js';

/** The parsed addresses of endpoints. `null`: no client can dial the address. */
const parsed = new WeakMap<Endpoint, DialAddress | null>();

/** The address at which a client dials an endpoint; `undefined` if no client can dial it. */
export function endpointAddress(endpoint: Endpoint): DialAddress | undefined {
  const known = parsed.get(endpoint);
  if (known !== undefined) return known ?? undefined;
  const address = parseAddress(endpoint.address);
  parsed.set(endpoint, address ?? null);
  return address;
}
