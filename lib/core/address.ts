/** Parses and formats `host:port` addresses. */
import { ruleOf } from './values/value-rule.js';

/** An address that a client can dial. */
export type DialAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * Parses an address: `host:port`, `[ipv6]:port`, `unix:path` or `unix:///path`. Returns `undefined` for
 * anything else: a missing port, a port outside 1–65535, an empty host, or brackets around anything but an
 * IPv6 address.
 */
export function parseAddress(address: string): DialAddress | undefined {
  if (address.startsWith('unix:')) {
    const path = address.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    return path === '' ? undefined : { kind: 'unix', path };
  }
  const match = /^(?:\[([^\]\s]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(address);
  const [, bracketed, plain, digits] = match ?? [];
  const host = bracketed !== undefined && !isIpv6(bracketed) ? undefined : (bracketed ?? plain);
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return { kind: 'tcp', host, port };
}

/** Formats an address as `host:port`, with brackets around an IPv6 host. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a host means "every interface" (`0.0.0.0`, `::`, empty); a client cannot dial such a host. */
export function isWildcardHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return (
    bare === '' ||
    bare === '*' ||
    /^0+(\.0+){0,3}$/.test(bare) ||
    // An IPv6 address of zeros, also one whose last two groups are written as an IPv4 address.
    /^[0:]*:(ffff:)?([0:]*|0+(\.0+){3})$/i.test(bare)
  );
}

/** An address that a server can announce: clients can dial it. */
export const SERVER_ADDRESS = ruleOf(
  'host:port or [ipv6]:port with a port from 1 to 65535 and a host that is no wildcard, or unix:path',
  (value): value is string => {
    const parsed = typeof value === 'string' ? parseAddress(value) : undefined;
    return parsed !== undefined && (parsed.kind === 'unix' || !isWildcardHost(parsed.host));
  },
);

/** Whether a text is an IPv6 address (RFC 4291, section 2.2), with or without a zone (RFC 4007). */
function isIpv6(text: string): boolean {
  const [address = '', zone] = text.split(/%(.*)/s);
  if (zone === '') return false;
  const halves = address.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  // The last two groups of an IPv6 address may be written as an IPv4 address.
  const isMapped = IPV4.test(groups.at(-1) ?? '');
  const hexadecimal = isMapped ? groups.slice(0, -1) : groups;
  if (!hexadecimal.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  const count = hexadecimal.length + (isMapped ? 2 : 0);
  return halves.length === 2 ? count < 8 : count === 8;
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}(?<!\.)$/;
