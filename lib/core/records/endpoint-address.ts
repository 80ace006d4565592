/** The address of an endpoint, taken apart once: every update of a list asks for it, and it never changes. */
import { type DialAddress, parseAddress } from '../address.js';
import type { Endpoint } from './endpoint.js';

/** `null`: it could not be dialled. */
const parsed = new WeakMap<Endpoint, DialAddress | null>();

/** What a client dials; `undefined` for an address that it could not. */
export function endpointAddress(endpoint: Endpoint): DialAddress | undefined {
  const known = parsed.get(endpoint);
  if (known !== undefined) return known ?? undefined;
  const address = parseAddress(endpoint.address);
  parsed.set(endpoint, address ?? null);
  return address;
}
