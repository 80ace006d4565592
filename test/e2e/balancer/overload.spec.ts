/** How many requests a service that refuses calls gets per call, counted at the servers. */
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Etcd3 } from 'etcd3';
import type { ClientGrpc } from '@nestjs/microservices';
import {
  type ClientDefinition,
  EtcdRegistry,
  registerDiscoveryResolver,
} from 'nestjs-grpc-discovery';
import { lastValueFrom, type Observable } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startTestEtcd, type TestEtcd } from '../../support/test-etcd.js';
import { startUserClient, userProtoPath } from '../../support/user-apps.js';

type Users = Readonly<Record<'find', (request: object) => Observable<{ server: string }>>>;

/** Calls at a time. A server that accepts every tenth of them is overloaded tenfold. */
const CONCURRENCY = 20;
const WARM_CALLS = 200;
const COUNTED_CALLS = 300;

let etcd: TestEtcd;
let admin: Etcd3;
let namespace = '';
let count = 0;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  etcd = await startTestEtcd();
  admin = new Etcd3({ hosts: etcd.hosts });
});
afterAll(async () => {
  admin.close();
  await etcd.stop();
});
beforeEach(() => {
  namespace = `overload-${++count}/`;
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const { user } = loadPackageDefinition(loadSync(userProtoPath)) as unknown as {
  user: { User: ServiceClientConstructor };
};

interface Refusing {
  /** How many calls the server works on at a time; it refuses the others at once. */
  readonly capacity: number;
  readonly code?: status;
  readonly trailers?: Readonly<Record<string, string>>;
  /** Whether the server refuses only after it has sent the headers of an answer. */
  readonly behindHeaders?: boolean;
}

/** Starts a server that is registered and counts the requests that reach it. */
async function startServer(id: string, { capacity, ...refusal }: Refusing) {
  const counts = { requests: 0, code: refusal.code ?? status.UNAVAILABLE };
  let busy = 0;
  const answer = (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>): void => {
    counts.requests++;
    if (busy < capacity) {
      busy++;
      setTimeout(() => {
        busy--;
        done(null, { server: id });
      }, 10);
      return;
    }
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(refusal.trailers ?? {})) metadata.set(name, value);
    if (refusal.behindHeaders === true) call.sendMetadata(new Metadata());
    done({ code: counts.code, details: 'overloaded', metadata });
  };
  const server = new Server();
  server.addService(user.User.service, { Login: answer, Find: answer, Watch: () => {} });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  closers.push(() => server.forceShutdown());
  const Addr = `127.0.0.1:${port}`;
  await admin.put(`${namespace}api/${Addr}`).value(JSON.stringify({ Op: 0, Addr, Metadata: null }));
  return counts;
}

async function startClient(definition: Partial<ClientDefinition>): Promise<Users> {
  const discovery = { etcd: { hosts: etcd.hosts, namespace } };
  const client = await startUserClient(discovery, { timeoutMs: 20_000, ...definition });
  closers.push(() => client.close());
  return (client.client as ClientGrpc).getService<Users>('User');
}

/** Makes this many calls; returns the server that answered each, `undefined` for a failure. */
async function call(users: Users, calls: number): Promise<(string | undefined)[]> {
  const answers: (string | undefined)[] = [];
  let begun = 0;
  const caller = async (): Promise<void> => {
    while (begun++ < calls) {
      const answer = lastValueFrom(users.find({ name: 'a' }));
      answers.push(
        await answer.then(
          ({ server }) => server,
          () => undefined,
        ),
      );
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  return answers;
}

const PUBLISHED = {
  methodConfig: [
    {
      name: [{ service: 'user.User' }],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.01s',
        maxBackoff: '0.1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'],
      },
    },
  ],
};

const HEDGING = { retry: { hedgingDelayMs: 5 } } satisfies Partial<ClientDefinition>;

const CALLS = [
  { what: 'plain retries' },
  { what: 'hedges', definition: HEDGING },
  { what: 'broken answers', refusal: { behindHeaders: true } },
  { what: 'hedges of broken answers', definition: HEDGING, refusal: { behindHeaders: true } },
  {
    what: 'a published policy',
    refusal: { code: status.RESOURCE_EXHAUSTED },
    published: PUBLISHED,
  },
];

const OVERLOADS = [
  { load: '10 × overload', capacity: CONCURRENCY / 10 },
  { load: 'total refusal', capacity: 0 },
];

it.each(OVERLOADS.flatMap((load) => CALLS.map((calls) => ({ ...load, ...calls }))))(
  'at $load a service gets at most 1.2 requests per call after the first 200 calls: $what',
  async ({ capacity, definition = {}, refusal = {}, published }) => {
    if (published !== undefined) {
      await admin.put(`${namespace}grpc.service_config/api`).value(JSON.stringify(published));
    }
    const counts = await startServer('only', { capacity, ...refusal });
    const users = await startClient(definition);
    await call(users, WARM_CALLS);
    // Before they stopped, there were further attempts.
    expect(counts.requests).toBeGreaterThan(WARM_CALLS);
    const before = counts.requests;
    const answers = await call(users, COUNTED_CALLS);
    const answered = answers.filter((server) => server !== undefined).length;
    if (capacity > 0) expect(answered).toBeGreaterThan(0);
    expect((counts.requests - before) / COUNTED_CALLS).toBeLessThanOrEqual(1.2);
  },
);

it('a client whose retries are off does not end the throttling of another client', async () => {
  const counts = await startServer('only', { capacity: 0 });
  const users = await startClient({});
  await call(users, WARM_CALLS);
  const others = await startClient({ retry: false });
  await call(others, 1);
  const before = counts.requests;
  await call(users, COUNTED_CALLS);
  expect((counts.requests - before) / COUNTED_CALLS).toBeLessThanOrEqual(1.2);
});

it('calls that wait for a server are each sent once when a server is registered', async () => {
  const users = await startClient({ retry: { hedgingDelayMs: 500 }, waitForReady: true });
  const answers = call(users, CONCURRENCY);
  // Twice hedgingDelayMs: without a limit each call would have two more attempts waiting by now.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const counts = await startServer('only', { capacity: Infinity });
  expect(await answers).toEqual(Array.from({ length: CONCURRENCY }, () => 'only'));
  expect(counts.requests).toBe(CONCURRENCY);
});

it.each([
  { what: 'a retried call', retry: {} },
  { what: 'a hedged call', retry: { hedgingDelayMs: 5_000 } },
])(
  '$what fails at once if a server asks for a pause before the next attempt and no tokens are left',
  async (calls) => {
    const trailers = { 'grpc-retry-pushback-ms': '60000' };
    const counts = await startServer('only', { capacity: 0, trailers });
    const throttling = { maxTokens: 1, tokenRatio: 1 };
    const users = await startClient({ retry: { ...calls.retry, throttling } });
    const failure = lastValueFrom(users.find({ name: 'a' }));
    // Not `DEADLINE_EXCEEDED`, which comes before the pause is over.
    await expect(failure).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(counts.requests).toBe(1);
  },
);

it('after an outage, retries resume once the server answers with errors like NOT_FOUND', async () => {
  const counts = await startServer('only', { capacity: 0 });
  const users = await startClient({ retry: { throttling: { maxTokens: 10, tokenRatio: 1 } } });
  const refusedAtFirst = await call(users, WARM_CALLS);
  expect(refusedAtFirst).toHaveLength(WARM_CALLS);
  counts.code = status.NOT_FOUND;
  await call(users, CONCURRENCY);
  counts.code = status.UNAVAILABLE;
  const before = counts.requests;
  await call(users, 1);
  expect(counts.requests - before).toBe(4);
});

it('a plain client stops hedging at the throttling of its own service config', async () => {
  const counts = await startServer('only', { capacity: 0 });
  const registry = new EtcdRegistry({ hosts: etcd.hosts, namespace });
  closers.push(() => registry.close(), registerDiscoveryResolver(registry));
  const hedgingPolicy = { maxAttempts: 4, hedgingDelay: '1s', nonFatalStatusCodes: [14] };
  const config = {
    loadBalancingConfig: [],
    methodConfig: [{ name: [{ service: 'user.User' }], hedgingPolicy }],
    retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
  };
  const client = new user.User('etcd:///api', credentials.createInsecure(), {
    'grpc.service_config': JSON.stringify(config),
  });
  closers.push(() => client.close());
  const fail = () => new Promise((resolve) => client['Find']?.({ name: 'a' }, resolve));
  for (let calls = 0; calls < CONCURRENCY; calls++) await fail();
  const before = counts.requests;
  expect(before).toBeGreaterThan(CONCURRENCY);
  for (let calls = 0; calls < CONCURRENCY; calls++) await fail();
  expect(counts.requests - before).toBe(CONCURRENCY);
});

it.each([
  ['least_request', status.RESOURCE_EXHAUSTED, {}],
  ['peak_ewma', status.RESOURCE_EXHAUSTED, {}],
  ['consistent_hash', status.RESOURCE_EXHAUSTED, {}],
  ['least_request', status.UNAVAILABLE, { 'grpc-retry-pushback-ms': '60000' }],
] as const)(
  '%s sends less than a quarter of the calls to one of two servers if that server refuses them: code %i, trailers %o',
  async (policy, code, trailers) => {
    const refusing = await startServer('refusing', { capacity: 0, code, trailers });
    await startServer('good', { capacity: Infinity });
    const loadBalancing = policy === 'consistent_hash' ? { policy, hashKey: 'user' } : policy;
    const users = await startClient({ loadBalancing, retry: false });
    // Calls until both servers are connected.
    while (refusing.requests === 0) await call(users, CONCURRENCY);
    const before = refusing.requests;
    await call(users, COUNTED_CALLS);
    // Without load the share would be 0.5; with calls in flight alone it would be higher, as refusals are
    // fast.
    expect((refusing.requests - before) / COUNTED_CALLS).toBeLessThan(0.25);
  },
);
