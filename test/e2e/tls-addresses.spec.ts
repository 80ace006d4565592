/**
 * TLS to etcd's members and to endpoints that are named by an IP address, which Node 26 does not accept as a
 * server name.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { NestFactory } from '@nestjs/core';
import { EtcdRegistry, MemoryRegistry } from 'nestjs-grpc-discovery';
import { firstValueFrom, map } from 'rxjs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeEtcd } from '../support/describe-etcd.js';
import { EtcdProcess } from '../support/etcd-process.js';
import { Certificates } from '../support/secured-etcd.js';
import { grpcOptions, startUserClient, userModule } from '../support/user-apps.js';

let certificates: Certificates;
const closers: (() => unknown)[] = [];

beforeAll(() => {
  certificates = new Certificates();
});
afterAll(() => certificates.remove());
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const BOTH = 'IP:127.0.0.1,IP:::1';
const OTHER = 'IP:127.0.0.2,DNS:localhost';

describeEtcd('etcd over TLS', (binary) => {
  it.each(['127.0.0.1', '[::1]'])(
    "at %s is read if etcd's certificate has that address; if not, the client refuses the connection",
    async (host) => {
      certificates.issue(BOTH);
      expect(await firstUpdate(await startEtcd(host))).toBe('reset');
      certificates.issue(OTHER);
      const error = await firstUpdate(await startEtcd(host));
      expect(error).toMatch(/REGISTRY_UNAVAILABLE.*(altnames|IP: .* is not in the cert's list)/s);
    },
  );

  /** Starts an etcd with the present certificate; returns its URL. */
  async function startEtcd(host: string): Promise<string> {
    const etcd = await EtcdProcess.start({ binary, scheme: 'https', flags: certificates.flags });
    closers.push(() => etcd.stop());
    return host === '127.0.0.1' ? (etcd.hosts[0] ?? '') : `https://${host}:${await onIPv6(etcd)}`;
  }
});

it.each([
  ['calls an endpoint whose certificate has its IP address', BOTH, 'tls'],
  ['refuses an endpoint whose certificate lacks its IP address', OTHER, undefined],
])('over TLS a client %s', async (_what, names, expected) => {
  certificates.issue(names);
  const { cert, key } = certificates.pair;
  const registry = new MemoryRegistry();
  const { options } = grpcOptions();
  const server = await NestFactory.createMicroservice(
    userModule({ id: 'tls', discovery: { registry, service: { name: 'api', drainDelayMs: 0 } } }),
    {
      ...grpcOptions(),
      options: {
        ...options,
        credentials: ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) },
        ]),
      },
      logger: false,
    },
  );
  closers.push(() => server.close());
  await server.listen();
  const client = await startUserClient(
    { registry },
    {
      credentials: ChannelCredentials.createSsl(Buffer.from(certificates.ca)),
      channelOptions: { 'grpc.ssl_target_name_override': '127.0.0.1' },
    },
  );
  closers.push(() => client.close());
  const answer = await client.login().then(
    (reply) => reply.server,
    (error: Error) => error.message,
  );
  if (expected !== undefined) expect(answer).toBe(expected);
  else expect(answer).toMatch(/UNAVAILABLE.*127\.0\.0\.1 is not in the cert's list/s);
});

/** Opens a port of ::1 that forwards to an etcd. */
async function onIPv6({ port }: EtcdProcess): Promise<number> {
  const server = createServer((socket) => {
    const upstream = connect(port, '127.0.0.1');
    for (const one of [socket, upstream]) {
      one
        .on('error', () => {})
        .on('close', () => [socket, upstream].forEach((both) => both.destroy()));
    }
    socket.pipe(upstream).pipe(socket);
  });
  await once(server.listen(0, '::1'), 'listening');
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** The first update of a registry: its list, or the reason why there is none. */
async function firstUpdate(host: string): Promise<string> {
  const { ca } = certificates;
  const registry = new EtcdRegistry({ hosts: [host], tls: { ca }, requestTimeoutMs: 1_000 });
  closers.push(() => registry.close());
  return firstValueFrom(
    registry
      .watch('api')
      .pipe(map((update) => (update.kind === 'failure' ? update.error.message : update.kind))),
  );
}
