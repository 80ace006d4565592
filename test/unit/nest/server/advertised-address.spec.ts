import type { NetworkInterfaceInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import {
  advertisedAddress,
  type AdvertisedAddressInput,
} from '../../../../lib/nest/server/advertised-address.js';
import { validateServices } from '../../../../lib/nest/options/validate-service.js';
import type { BoundServer } from '../../../../lib/nest/server/grpc-servers.service.js';
import { ServiceAddresses } from '../../../../lib/nest/server/service-addresses.js';

const machine = vi.hoisted(() => ({
  /** The kernel's routes: the local address by remote host. */
  routes: new Map<string, string>(),
  interfaces: {} as Record<string, Partial<NetworkInterfaceInfo>[]>,
  asked: [] as string[],
  closed: 0,
}));
let warnings: string[] = [];

vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  networkInterfaces: () => machine.interfaces,
}));

vi.mock('node:dgram', () => ({
  createSocket: (type: string) => {
    let local = '';
    let onError: ((error: Error) => void) | undefined;
    return {
      once: (_event: string, listener: (error: Error) => void) => (onError = listener),
      connect: (port: number, host: string, done: () => void) => {
        machine.asked.push(`${type} ${host} ${port}`);
        const route = machine.routes.get(host);
        if (route === undefined) onError?.(new Error('ENETUNREACH'));
        else {
          local = route;
          done();
        }
      },
      address: () => ({ address: local }),
      close: () => machine.closed++,
    };
  },
}));

function address(
  url: string,
  addresses: readonly string[],
  more: Partial<AdvertisedAddressInput> = {},
): Promise<string> {
  return advertisedAddress({
    // The code under test reads only these two fields of a bound server.
    server: { url, addresses } as AdvertisedAddressInput['server'],
    address: undefined,
    host: undefined,
    podIp: undefined,
    registryHost: undefined,
    onWarning: (text) => warnings.push(text),
    ...more,
  });
}

const entry = (value: string, internal = false): Partial<NetworkInterfaceInfo> => ({
  address: value,
  internal,
  family: value.includes(':') ? 'IPv6' : 'IPv4',
});

beforeEach(() => {
  machine.interfaces = { lo: [entry('127.0.0.1', true)], eth0: [entry('10.0.0.9')] };
  machine.routes = new Map([['etcd.local', '10.0.0.5']]);
});

afterEach(() => {
  // Each test closes the socket that it opens.
  expect(machine.closed).toBe(machine.asked.length);
  machine.asked = [];
  machine.closed = 0;
  warnings = [];
});

describe('the advertised address', () => {
  it('is the option address, whatever was bound', async () => {
    const options = { address: 'public:80', podIp: '10.1.1.1' };
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], options)).toBe('public:80');
    expect(await address('unix:/tmp/x', [], options)).toBe('public:80');
  });

  it('is the option host with the port that was bound', async () => {
    const options = { host: 'public', podIp: '10.1.1.1' };
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], options)).toBe('public:4000');
    expect(await address('h:1', ['127.0.0.1:1'], { host: 'fe80::1' })).toBe('[fe80::1]:1');
  });

  it('is the bound host with the bound port if clients can dial that host', async () => {
    expect(await address('127.0.0.1:0', ['127.0.0.1:4000'])).toBe('127.0.0.1:4000');
    expect(await address('server.local:5000', ['10.0.0.9:5000'])).toBe('server.local:5000');
    expect(await address('[::1]:0', ['[::1]:4000'])).toBe('[::1]:4000');
    expect(machine.asked).toEqual([]);
  });

  it.each([
    ['dns:127.0.0.1:0', '127.0.0.1:4000', '127.0.0.1:4000'],
    ['dns:///localhost:0', '127.0.0.1:4000', 'localhost:4000'],
    ['ipv4:127.0.0.1:0', '127.0.0.1:4000', '127.0.0.1:4000'],
    ['ipv6:[::1]:0', '[::1]:4000', '[::1]:4000'],
    ['dns:0.0.0.0:0', '0.0.0.0:4000', '10.0.0.9:4000'],
  ])('does not contain the scheme of %s', async (url, bound, expected) => {
    expect(await address(url, [bound])).toBe(expected);
  });

  it('is refused if no client could dial it', async () => {
    await expect(address('a b:0', ['127.0.0.1:4000'])).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/"a b:0" would be advertised as "a b:4000"/),
    });
  });

  it('is the path of a unix socket', async () => {
    expect(await address('unix:/tmp/api.sock', [])).toBe('unix:/tmp/api.sock');
  });

  it.each(['0.0.0.0:0', '[::]:0', ':::0'])(
    'has POD_IP as its host for the wildcard %s',
    async (url) => {
      const bound = url === '0.0.0.0:0' ? '0.0.0.0:4000' : '[::]:4000';
      expect(await address(url, [bound], { podIp: '10.1.1.1' })).toBe('10.1.1.1:4000');
      expect(await address(url, [bound], { podIp: 'fd00::1' })).toBe('[fd00::1]:4000');
    },
  );

  it.each([' 10.1.1.1', '10.1.1.1\n'])(
    'has POD_IP as its host, without the blanks of %j',
    async (podIp) => {
      expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], { podIp })).toBe('10.1.1.1:4000');
      expect(warnings).toEqual([]);
    },
  );

  it.each(['0.0.0.0', '::', '10.1.1.1,fd00::1', '10.1.1.1:80', '10.1.1', 'pod.local'])(
    'does not contain a POD_IP of %j, which is not one address to dial, and a warning says so',
    async (podIp) => {
      expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], { podIp })).toBe('10.0.0.9:4000');
      expect(warnings).toEqual([
        `POD_IP is "${podIp}" (allowed: one IP address, no wildcard); the server at 0.0.0.0:0 is advertised without it.`,
      ]);
    },
  );

  it('causes no warning about a wrong POD_IP that is not needed', async () => {
    expect(await address('10.0.0.9:0', ['10.0.0.9:4000'], { podIp: '::' })).toBe('10.0.0.9:4000');
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], { podIp: ' ' })).toBe('10.0.0.9:4000');
    expect(warnings).toEqual([]);
  });

  it('is that of the interface which routes to the registry, for a wildcard without POD_IP', async () => {
    const options = { registryHost: 'etcd.local:2379', podIp: '' };
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], options)).toBe('10.0.0.5:4000');
    expect(machine.asked).toEqual(['udp4 etcd.local 2379']);
  });

  it('is that of an IPv6 route if the registry has an IPv6 address', async () => {
    machine.routes.set('fd00::2', 'fd00::5');
    const options = { registryHost: '[fd00::2]:2379' };
    expect(await address('[::]:0', ['[::]:4000'], options)).toBe('[fd00::5]:4000');
    expect(machine.asked).toEqual(['udp6 fd00::2 2379']);
  });

  it.each([
    ['there is no route', 'unreachable:2379'],
    ['there is no registry', undefined],
    ['the registry has no valid address', 'nonsense'],
  ])('is that of the first external interface if %s', async (_, registryHost) => {
    const options = { registryHost };
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], options)).toBe('10.0.0.9:4000');
  });

  it('is never a wildcard, even if the kernel returns one as the local address of the route', async () => {
    machine.routes.set('etcd.local', '0.0.0.0');
    const options = { registryHost: 'etcd.local:2379' };
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], options)).toBe('10.0.0.9:4000');
  });

  it('is an IPv4 address if an interface has one, and never a link-local address', async () => {
    machine.interfaces = {
      eth0: [entry('fe80::1'), entry('fd00::9')],
      eth1: [entry('10.0.0.7')],
    };
    expect(await address('0.0.0.0:0', ['0.0.0.0:1'])).toBe('10.0.0.7:1');
    machine.interfaces = { eth0: [entry('fe80::1'), entry('fd00::9')] };
    expect(await address('0.0.0.0:0', ['0.0.0.0:1'])).toBe('[fd00::9]:1');
  });

  it('is loopback on a machine without other interfaces', async () => {
    machine.interfaces = { lo: [entry('127.0.0.1', true)] };
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'])).toBe('127.0.0.1:4000');
  });

  it('of a service is that of the interface which routes to the first host of etcd', async () => {
    const etcd = { hosts: ['http://etcd.local:2379', 'http://other.local:2379'] };
    const addresses = new ServiceAddresses({ etcd }, (text) => warnings.push(text));
    const [service] = validateServices({ name: 'api' });
    const server = { url: '0.0.0.0:0', addresses: ['0.0.0.0:4000'] } as unknown as BoundServer;
    expect(await addresses.of(service!, server)).toBe('10.0.0.5:4000');
    expect(machine.asked).toEqual(['udp4 etcd.local 2379']);
  });

  it('of a service has the host or the address of its options', async () => {
    const addresses = new ServiceAddresses({ etcd: undefined }, (text) => warnings.push(text));
    const services = validateServices([
      { name: 'a', host: 'public' },
      { name: 'b', address: 'public:80' },
    ]);
    const server = { url: '0.0.0.0:0', addresses: ['0.0.0.0:4000'] } as unknown as BoundServer;
    const all = services.map((service) => addresses.of(service, server));
    expect(await Promise.all(all)).toEqual(['public:4000', 'public:80']);
  });

  it('has the port of the url if the sockets are unknown', async () => {
    expect(await address('127.0.0.1:5000', [])).toBe('127.0.0.1:5000');
  });

  it.each([
    ['unix:/tmp/x', '127.0.0.1:4000'],
    ['nonsense', '127.0.0.1:4000'],
  ])('has the port of the first socket with a port, which may follow %s', async (...bound) => {
    expect(await address('127.0.0.1:0', bound)).toBe('127.0.0.1:4000');
  });

  it('is an error if neither the url nor a socket has a port', async () => {
    await expect(address('localhost', [])).rejects.toThrow('the port of the gRPC server at');
  });

  it('is that of the first external interface if the registry is reached over a unix socket', async () => {
    const options = { registryHost: 'unix:/tmp/etcd' };
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'], options)).toBe('10.0.0.9:4000');
    expect(machine.asked).toEqual([]);
  });

  it('is that of an interface with addresses, even if the machine lists one without', async () => {
    machine.interfaces = { none: undefined as never, eth0: [entry('10.0.0.9')] };
    expect(await address('0.0.0.0:0', ['0.0.0.0:4000'])).toBe('10.0.0.9:4000');
  });

  it('is an error if the port is unknown, and never has port 0', async () => {
    const failure = await address('127.0.0.1:0', []).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DiscoveryError);
    expect(String(failure)).toContain(
      '[INVALID_OPTION] the port of the gRPC server at "127.0.0.1:0"',
    );
  });
});
