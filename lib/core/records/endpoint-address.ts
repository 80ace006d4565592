/** Parses the address of an endpoint once: every update of a list needs it, and it never changes. */
import { type DialAddress, parseAddress } from '../address.js';
import type { Endpoint } from './endpoint.js';

/** `null`: a client cannot dial the address. */
const parsed = new WeakMap<Endpoint, DialAddress | null>();

/** The address that a client dials; `undefined` if it cannot. */
export function endpointAddress(endpoint: Endpoint): DialAddress | undefined {
  const known = parsed.get(endpoint);
  if (known !== undefined) return known ?? undefined;
  const address = parseAddress(endpoint.address);
  parsed.set(endpoint, address ?? null);
  return address;
}
