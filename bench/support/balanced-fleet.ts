/** Servers in processes of their own, their records in etcd, and clients of several kinds for them. */
import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import {
  type Client,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Etcd3 } from 'etcd3';
import {
  type ClientDefinition,
  DiscoveryModule,
  EtcdRegistry,
  GrpcClientFactory,
  registerDiscoveryResolver,
} from '../../lib/index.js';
import { EventProcess } from '../../test/support/event-process.js';
import { projectRoot } from '../../test/support/project-root.js';
import { startTestEtcd, type TestEtcd } from '../../test/support/test-etcd.js';
import type { UserRequest, UserResponse } from './user-calls.js';

/** The proto file of the test service. */
export const protoPath = `${projectRoot(import.meta.url)}/test/support/proto/user.proto`;

/** The `User` service of grpc-js. */
export const { user } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
  user: { User: ServiceClientConstructor };
};

/** The service config with which a user asks for grpc-js's own round_robin. */
export const ROUND_ROBIN = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });

/** Makes one call; resolves with the server that answered, rejects with gRPC's error. */
export type TimedCall = (options?: {
  readonly timeoutMs?: number;
  readonly name?: string;
}) => Promise<string>;

/** A client of one service, of any kind. */
export interface BalancedClient {
  readonly call: TimedCall;
  readonly channel: ReturnType<Client['getChannel']>;
  close(): void | Promise<void>;
}

/** A server process whose behaviour a bench can change. */
export interface BehavingServer {
  readonly id: string;
  readonly process: EventProcess;
  readonly addresses: readonly string[];
}

export async function startServer(id: string, ports = 1): Promise<BehavingServer> {
  const entry = fileURLToPath(new URL('./behaving-server.js', import.meta.url));
  const child = new EventProcess(process.execPath, [entry, protoPath, id, String(ports)], {
    name: id,
  });
  const { addresses } = await child.waitForEvent('listening');
  return { id, process: child, addresses: addresses as string[] };
}

/** Makes a server slow, failing, or normal again. */
export async function behave(
  server: BehavingServer,
  what: 'delayMs' | 'code',
  value: number,
): Promise<void> {
  const client = bareClient(server.addresses[0] ?? '', {});
  await client.call({ name: `!${what} ${value}` });
  await client.close();
}

/** Makes a client of bare grpc-js for any target. */
export function bareClient(target: string, options: Record<string, unknown>): BalancedClient {
  return timed(new user.User(target, credentials.createInsecure(), options));
}

/** Makes clients of both kinds, ours and grpc-js's, for one etcd. */
export interface Clients {
  readonly app: INestApplicationContext;
  /** grpc-js's own `round_robin` over the same records. */
  roundRobin(service: string): BalancedClient;
  close(): Promise<void>;
}

export async function openClients(hosts: readonly string[]): Promise<Clients> {
  @Module({ imports: [DiscoveryModule.forRoot({ etcd: { hosts: [...hosts] } })] })
  class ClientModule {}
  const app = await NestFactory.createApplicationContext(ClientModule, { logger: false });
  const registry = new EtcdRegistry({ hosts: [...hosts] });
  const unregister = registerDiscoveryResolver(registry);
  return {
    app,
    roundRobin: (service) =>
      bareClient(`etcd:///${service}`, { 'grpc.service_config': ROUND_ROBIN }),
    close: async () => {
      await app.close();
      unregister();
      await registry.close();
    },
  };
}

/** Makes a client as `DiscoveryModule` makes it. */
export function clientOf(
  { app }: Pick<Clients, 'app'>,
  service: string,
  definition: Partial<ClientDefinition>,
): BalancedClient {
  const proxy = app
    .get(GrpcClientFactory)
    .create({ package: 'user', protoPath, ...definition, name: service });
  return timed(proxy.getClientByServiceName<Client>('User'), () => proxy.close());
}

/** An etcd with clients of both kinds, ours and grpc-js's. */
export class Place {
  private constructor(
    readonly etcd: TestEtcd,
    private readonly admin: Etcd3,
    private readonly clients: Clients,
  ) {}

  static async open(): Promise<Place> {
    const etcd = await startTestEtcd();
    return new Place(etcd, new Etcd3({ hosts: etcd.hosts }), await openClients(etcd.hosts));
  }

  /** Writes records, without a lease: they stay as long as this etcd. */
  async list(service: string, addresses: readonly string[]): Promise<void> {
    for (let from = 0; from < addresses.length; from += 100) {
      const some = addresses.slice(from, from + 100);
      await Promise.all(
        some.map((address) => this.admin.put(`${service}/${address}`).value(record(address))),
      );
    }
  }

  /** Deletes records. */
  async unlist(service: string, addresses: readonly string[]): Promise<void> {
    await Promise.all(
      addresses.map((address) => this.admin.delete().key(`${service}/${address}`).exec()),
    );
  }

  ours(service: string, definition: Partial<ClientDefinition>): BalancedClient {
    return clientOf(this.clients, service, definition);
  }

  roundRobin(service: string): BalancedClient {
    return this.clients.roundRobin(service);
  }

  async close(): Promise<void> {
    await this.clients.close();
    this.admin.close();
    await this.etcd.stop();
  }
}

/** A record as Go's naming package writes it. */
function record(address: string): string {
  return JSON.stringify({ Op: 0, Addr: address, Metadata: null });
}

type Login = (
  request: UserRequest,
  options: { deadline?: number },
  callback: (error: Error | null, response: UserResponse) => void,
) => void;

/** Turns a client of grpc-js into a {@link BalancedClient}. */
export function timed(raw: Client, close: () => unknown = () => raw.close()): BalancedClient {
  const { login } = raw as unknown as { login: Login };
  const bound = login.bind(raw);
  return {
    call: ({ timeoutMs, name = 'x' } = {}) =>
      new Promise((resolve, reject) => {
        const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
        bound({ name, password: '' }, options, (error, response) =>
          error === null ? resolve(response.server) : reject(error),
        );
      }),
    channel: raw.getChannel(),
    close: () => void close(),
  };
}
