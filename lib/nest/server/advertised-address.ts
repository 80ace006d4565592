/** The address under which clients can reach a server that was bound on this machine. */
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { formatAddress, isWildcardHost, parseAddress } from '../../core/address.js';
import { DiscoveryError } from '../../core/discovery-error.js';
import type { BoundServer } from './grpc-servers.service.js';

/** What the advertised address depends on. */
export interface AdvertisedAddressInput {
  readonly server: BoundServer;
  /** Option `address`: taken as it is. */
  readonly address: string | undefined;
  /** Option `host`: taken with the bound port. */
  readonly host: string | undefined;
  /** The environment variable `POD_IP`, which orchestrators set. */
  readonly podIp: string | undefined;
  /**
   * A host and port of the registry. The interface that routes to the registry is taken for the one that
   * clients reach.
   */
  readonly registryHost: string | undefined;
  /** Called with a text when a given value is ignored; the text says why. */
  readonly onWarning: (text: string) => void;
}

/**
 * Returns the option `address` if it is set, else a host with the bound port. The host is the option `host`,
 * else the bound host. In place of a wildcard host it is the first of these that exists: `POD_IP`, the
 * address of the interface that routes to the registry, the first non-internal interface, loopback. The
 * result never has a wildcard host or port 0.
 *
 * @throws DiscoveryError `INVALID_OPTION` if the port is unknown (channelz is off, and the url has port 0),
 *   or no client could dial the address
 */
export async function advertisedAddress(input: AdvertisedAddressInput): Promise<string> {
  if (input.address !== undefined) return input.address;
  const { url, addresses } = input.server;
  if (url.startsWith('unix:')) return url;
  const written = splitUrl(url);
  const bound = addresses.map(parseAddress).find((address) => address?.kind === 'tcp');
  const port = bound?.kind === 'tcp' ? bound.port : written.port;
  if (port === 0) {
    throw new DiscoveryError(
      'INVALID_OPTION',
      `the port of the gRPC server at "${url}" is unknown with channelz switched off; allowed: a fixed port in url, or option service.address`,
    );
  }
  const address = formatAddress(input.host ?? (await hostFor(written.host, input)), port);
  if (parseAddress(address) !== undefined) return address;
  throw new DiscoveryError(
    'INVALID_OPTION',
    `the gRPC server at "${url}" would be advertised as "${address}", which no client can dial; allowed: host:port in url, or option service.address`,
  );
}

/** A scheme that the url of a gRPC server may have before the host (grpc/doc/naming.md). */
const SCHEME = /^(?:dns|ipv4|ipv6):(?:\/\/[^/]*\/)?/i;

function splitUrl(url: string): { readonly host: string; readonly port: number } {
  const match = /^\[?(.*?)\]?:(\d+)$/.exec(url.replace(SCHEME, ''));
  return { host: match?.[1] ?? url, port: Number(match?.[2] ?? 0) };
}

async function hostFor(boundHost: string, input: AdvertisedAddressInput): Promise<string> {
  if (!isWildcardHost(boundHost)) return boundHost;
  const podIp = usablePodIp(input);
  if (podIp !== undefined) return podIp;
  const routed = await routedAddress(input.registryHost);
  return routed ?? firstExternalAddress() ?? '127.0.0.1';
}

function usablePodIp({ podIp = '', server, onWarning }: AdvertisedAddressInput) {
  const address = podIp.trim();
  if (address === '') return undefined;
  if (isIP(address) !== 0 && !isWildcardHost(address)) return address;
  onWarning(
    `POD_IP is ${JSON.stringify(podIp)} (allowed: one IP address, no wildcard); the server at ${server.url} is advertised without it.`,
  );
  return undefined;
}

/** The local address that the kernel would use towards a host. Connecting a datagram socket sends nothing. */
async function routedAddress(target: string | undefined): Promise<string | undefined> {
  const parsed = target === undefined ? undefined : parseAddress(target);
  if (parsed === undefined || parsed.kind !== 'tcp') return undefined;
  const socket = createSocket(parsed.host.includes(':') ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(parsed.port, parsed.host, resolve);
    });
    const { address } = socket.address();
    return isWildcardHost(address) ? undefined : address;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

function firstExternalAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const external = all.filter((entry) => !entry.internal && !entry.address.startsWith('fe80:'));
  return (external.find((entry) => entry.family === 'IPv4') ?? external[0])?.address;
}
