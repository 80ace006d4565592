/**
 * Unary calls per second and CPU per call: an injected client against Nest's own and against bare grpc-js.
 *
 * All clients run in this process. The servers are bare grpc-js in processes of their own, so that the client
 * is the limit. All clients take turns in every round, each time another client first, so that other load of
 * the machine hits them alike; the figures are medians over the rounds. `static list` is the same three
 * servers without discovery, an `ipv4:` target with grpc-js's own round_robin: it shows the cost of three
 * connections without the cost of discovery.
 */
import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ClientGrpc, ClientsModule, Transport } from '@nestjs/microservices';
import { filter, firstValueFrom } from 'rxjs';
import { DiscoveryModule, EtcdRegistry, InjectGrpcClient } from '../lib/index.js';
import { EventProcess, stopEventProcesses } from '../test/support/event-process.js';
import { projectRoot } from '../test/support/project-root.js';
import { startTestEtcd } from '../test/support/test-etcd.js';
import { type BenchResult, type BenchRow, benchRow } from './support/bench-result.js';
import { median, quantile } from './support/statistics.js';
import {
  type Call,
  type Cost,
  measureCalls,
  type UserClient,
  type UserRequest,
  type UserResponse,
} from './support/user-calls.js';

// Turns are short, so that other load of the machine hits all clients of a round alike.
const ROUNDS = 150;
const CALLS_PER_TURN = 400;
const WARM_UP_CALLS = 4_500;
const CONCURRENCY = 32;

const ROUND_ROBIN = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });
const protoPath = `${projectRoot(import.meta.url)}/test/support/proto/user.proto`;
const request: UserRequest = { name: '张三', password: '111111' };

/** The clients by the names that the table shows. */
const CONTENDERS = [
  'bare grpc-js, direct url',
  "Nest's ClientGrpc, direct url",
  'ours, 1 endpoint',
  'bare grpc-js, static list of 3',
  "Nest's ClientGrpc, static list of 3",
  'ours, 3 endpoints',
] as const;

type Contender = (typeof CONTENDERS)[number];

/** Which of our clients is compared with which reference. */
const COMPARISONS: readonly (readonly [ours: Contender, reference: Contender])[] = [
  ['ours, 1 endpoint', "Nest's ClientGrpc, direct url"],
  ['ours, 1 endpoint', 'bare grpc-js, direct url'],
  ['ours, 3 endpoints', "Nest's ClientGrpc, direct url"],
  ['ours, 3 endpoints', 'bare grpc-js, direct url'],
  ['ours, 3 endpoints', "Nest's ClientGrpc, static list of 3"],
  ['ours, 3 endpoints', 'bare grpc-js, static list of 3'],
];

export async function run(): Promise<BenchResult> {
  const etcd = await startTestEtcd();
  try {
    const addresses = await startServers(3);
    const registry = new EtcdRegistry({ hosts: etcd.hosts });
    try {
      await announce(registry, 'one', addresses.slice(0, 1));
      await announce(registry, 'three', addresses);
      const costs = await measure(etcd.hosts, addresses);
      const rows = COMPARISONS.flatMap((pair) => compare(costs, ...pair));
      const notes = COMPARISONS.map((pair) => spread(costs, ...pair));
      return { bench: 'throughput', node: process.version, etcd: etcd.kind, rows, notes };
    } finally {
      await registry.close();
    }
  } finally {
    await stopEventProcesses();
    await etcd.stop();
  }
}

async function startServers(count: number): Promise<string[]> {
  const entry = fileURLToPath(new URL('./support/user-server.js', import.meta.url));
  const servers = Array.from(
    { length: count },
    (_, index) => new EventProcess(process.execPath, [entry, protoPath, `server-${index}`]),
  );
  return Promise.all(
    servers.map(async (server) => String((await server.waitForEvent('listening'))['address'])),
  );
}

async function announce(
  registry: EtcdRegistry,
  service: string,
  addresses: readonly string[],
): Promise<void> {
  for (const address of addresses) {
    const registration = registry.register({
      service,
      endpoint: { address, metadata: null },
      ttlSeconds: 60,
    });
    await firstValueFrom(registration.status$.pipe(filter(({ state }) => state === 'registered')));
  }
}

/** Gives every client its turn in every round. */
async function measure(
  hosts: string[],
  addresses: readonly string[],
): Promise<Map<Contender, Cost[]>> {
  const direct = addresses[0] ?? '';
  const list = `ipv4:${addresses.join()}`;
  const app = await NestFactory.createApplicationContext(clientModule(hosts, direct, list), {
    logger: ['warn', 'error'],
  });
  const bare = { direct: bareClient(direct), list: bareClient(list) };
  const calls: Readonly<Record<Contender, Call>> = {
    'bare grpc-js, direct url': bare.direct.call,
    "Nest's ClientGrpc, direct url": app.get(Clients).direct,
    'ours, 1 endpoint': app.get(Clients).one,
    'bare grpc-js, static list of 3': bare.list.call,
    "Nest's ClientGrpc, static list of 3": app.get(Clients).list,
    'ours, 3 endpoints': app.get(Clients).three,
  };
  const costs = new Map<Contender, Cost[]>(CONTENDERS.map((name) => [name, []]));
  for (const name of CONTENDERS) await measureCalls(calls[name], WARM_UP_CALLS, CONCURRENCY);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let turn = 0; turn < CONTENDERS.length; turn += 1) {
      const name = CONTENDERS[(round + turn) % CONTENDERS.length];
      if (name === undefined) continue;
      costs.get(name)?.push(await measureCalls(calls[name], CALLS_PER_TURN, CONCURRENCY));
    }
  }
  bare.direct.close();
  bare.list.close();
  await app.close();
  return costs;
}

/** All clients that Nest makes. */
@Injectable()
class Clients {
  readonly direct: Call;
  readonly list: Call;
  readonly one: Call;
  readonly three: Call;

  constructor(
    @Inject('DIRECT') direct: ClientGrpc,
    @Inject('LIST') list: ClientGrpc,
    @InjectGrpcClient('one') one: ClientGrpc,
    @InjectGrpcClient('three') three: ClientGrpc,
  ) {
    this.direct = loginBy(direct);
    this.list = loginBy(list);
    this.one = loginBy(one);
    this.three = loginBy(three);
  }
}

function loginBy(client: ClientGrpc): Call {
  const users = client.getService<UserClient>('User');
  return () => firstValueFrom(users.login(request));
}

function clientModule(hosts: string[], direct: string, list: string): new () => object {
  const grpc = { package: 'user', protoPath };
  @Module({
    imports: [
      DiscoveryModule.forRoot({ etcd: { hosts } }),
      DiscoveryModule.forFeature([
        { name: 'one', ...grpc },
        { name: 'three', ...grpc },
      ]),
      ClientsModule.register([
        { name: 'DIRECT', transport: Transport.GRPC, options: { ...grpc, url: direct } },
        {
          name: 'LIST',
          transport: Transport.GRPC,
          options: {
            ...grpc,
            url: list,
            channelOptions: { 'grpc.service_config': ROUND_ROBIN },
          },
        },
      ]),
    ],
    providers: [Clients],
  })
  class ClientModule {}
  return ClientModule;
}

function bareClient(target: string): { call: Call; close: () => void } {
  const { user } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
    user: { User: ServiceClientConstructor };
  };
  const options = target.startsWith('ipv4:') ? { 'grpc.service_config': ROUND_ROBIN } : {};
  const client = new user.User(target, credentials.createInsecure(), options);
  const login = client['login']?.bind(client) as (
    request: UserRequest,
    callback: (error: Error | null, response: UserResponse) => void,
  ) => void;
  const call: Call = () =>
    new Promise((resolve, reject) => {
      login(request, (error, response) => (error === null ? resolve(response) : reject(error)));
    });
  return { call, close: () => client.close() };
}

function compare(
  costs: ReadonlyMap<Contender, readonly Cost[]>,
  ours: Contender,
  reference: Contender,
): BenchRow[] {
  const [rate, cpu] = (['callsPerSecond', 'cpuMicros'] as const).map((figure) =>
    [ours, reference].map((name) => median((costs.get(name) ?? []).map((cost) => cost[figure]))),
  );
  const name = ours.slice('ours, '.length);
  return [
    benchRow({
      name: `calls, ${name}`,
      unit: 'calls/s',
      ours: rate?.[0] ?? NaN,
      reference: rate?.[1] ?? NaN,
      referenceName: reference,
    }),
    benchRow({
      name: `CPU per call, ${name}`,
      unit: 'µs',
      ours: cpu?.[0] ?? NaN,
      reference: cpu?.[1] ?? NaN,
      referenceName: reference,
    }),
  ];
}

/** How much the figures of the rounds differ. */
function spread(
  costs: ReadonlyMap<Contender, readonly Cost[]>,
  ours: Contender,
  reference: Contender,
): string {
  const range = (figure: keyof Cost): string => {
    const theirs = costs.get(reference) ?? [];
    const ratios = (costs.get(ours) ?? []).map(
      (cost, round) => cost[figure] / (theirs[round]?.[figure] ?? NaN),
    );
    const [low, middle, high] = [0.1, 0.5, 0.9].map((q) => quantile(ratios, q).toFixed(3));
    return `${middle} (${low} to ${high})`;
  };
  return `ratio per round, median (middle 80 %): ${ours} to ${reference}: calls/s ${range('callsPerSecond')}, CPU ${range('cpuMicros')}`;
}
