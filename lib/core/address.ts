/** Reading and writing of `host:port` addresses. */

/** An address a client can dial. */
export type DialAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * Reads `host:port`, `[ipv6]:port`, `unix:path` or `unix:///path`. `undefined` for anything else: no port, a port
 * outside 1–65535, an empty host.
 */
export function parseAddress(address: string): DialAddress | undefined {
  if (address.startsWith('unix:')) {
    const path = address.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    return path === '' ? undefined : { kind: 'unix', path };
  }
  const match = /^(?:\[([^\]\s]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return { kind: 'tcp', host, port };
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a host means "every interface" (`0.0.0.0`, `::`, empty) and so is nothing that a client can dial. */
export function isWildcardHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === '' || bare === '*' || /^0+(\.0+){0,3}$/.test(bare) || /^[0:]*:[0:]*$/.test(bare);
}
