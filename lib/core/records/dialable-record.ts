/** Reads a registry's values for clients: an endpoint that can be dialled, or why lists omit the value. */
import { parseAddress } from '../address.js';
import { decodeEndpoint } from './endpoint-codec.js';
import { endpointAddress } from './endpoint-address.js';
import type { Endpoint } from './endpoint.js';
import { foreignRecord } from './foreign-record.js';
import type { IgnoredRecord } from './ignored-records.js';
import { decodeGoUtf8 } from './go-utf8.js';
import { printableBeginning } from '../printable-text.js';

/** An endpoint, or why lists leave the value out. */
type DialableRecord =
  { readonly ok: true; readonly endpoint: Endpoint } | ({ readonly ok: false } & IgnoredRecord);

/**
 * Reads a value as `decodeEndpoint` does, and refuses endpoints that no client can dial. It recognises the
 * formats of other frameworks, so that the reason names the framework.
 */
export function decodeDialableRecord(value: Uint8Array | string): DialableRecord {
  const decoded = decodeEndpoint(value);
  if (decoded.ok && endpointAddress(decoded.endpoint) !== undefined) return decoded;
  const foreign = foreignRecord(typeof value === 'string' ? value : decodeGoUtf8(value));
  if (foreign !== undefined) return { ok: false, ...foreign };
  return decoded.ok
    ? { ok: false, kind: 'no-dialable-address', reason: whyUndialable(decoded.endpoint.address) }
    : { ok: false, kind: 'no-record', reason: decoded.reason };
}

/** Why an address cannot be dialled: `Addr "127.0.0.1" has no port`. Precondition: no client can dial it. */
function whyUndialable(address: string): string {
  if (address === '') return 'Addr is missing or empty';
  const shown = `Addr "${printableBeginning(address, 100)}"`;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) {
    return `${shown} has a scheme; dialable: host:port, [ipv6]:port, unix:path`;
  }
  if (parseAddress(`${address}:1`) !== undefined || parseAddress(`[${address}]:1`) !== undefined) {
    return `${shown} has no port`;
  }
  const digits = /:(\d+)$/.exec(address)?.[1];
  if (digits !== undefined && (Number(digits) < 1 || Number(digits) > 65_535)) {
    return `${shown} has a port that is not from 1 to 65535`;
  }
  return `${shown} is not host:port, [ipv6]:port or unix:path`;
}
