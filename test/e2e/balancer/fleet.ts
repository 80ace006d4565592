/**
 * Servers over real sockets whose behaviour a test sets, in a registry in memory, and clients that balance
 * over them.
 */
import {
  loadPackageDefinition,
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  status,
} from '@grpc/grpc-js';
import { createServer, type Server as Listener, type Socket } from 'node:net';
import { loadSync } from '@grpc/proto-loader';
import { HealthImplementation } from 'grpc-health-check';
import {
  type ClientDefinition,
  type Endpoint,
  type JsonValue,
  MemoryRegistry,
} from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';
import type { UserRequest, UserResponse } from '../../support/apps/user.controller.js';
import { startUserClient, userProtoPath } from '../../support/user-apps.js';

const { user } = loadPackageDefinition(loadSync(userProtoPath)) as unknown as {
  user: { User: ServiceClientConstructor };
};

/** One server. A test can change its answers while it runs. */
export class TestServer {
  readonly health = new HealthImplementation({ '': 'SERVING' });
  readonly seen: Metadata[] = [];
  address = '';
  calls = 0;
  /** The status of every answer; 0 is success. */
  code: status = status.OK;
  /** While this is an array, the server answers no call and keeps the calls here. */
  held: (() => void)[] | undefined;
  /** Streams that are open. */
  readonly streams = new Set<ServerWritableStream<UserRequest, UserResponse>>();
  /** Connections that are open. */
  readonly connections = new Set<Socket>();
  private server = new Server();
  private listener: Listener | undefined;

  constructor(
    readonly id: string,
    readonly metadata: Readonly<Record<string, JsonValue>>,
  ) {}

  get endpoint(): Endpoint {
    return { address: this.address, metadata: this.metadata };
  }

  async start(port = 0): Promise<this> {
    this.server = new Server();
    this.server.addService(user.User.service, {
      login: (
        call: ServerUnaryCall<UserRequest, UserResponse>,
        callback: sendUnaryData<UserResponse>,
      ) => this.answer(call, callback),
      find: (
        call: ServerUnaryCall<UserRequest, UserResponse>,
        callback: sendUnaryData<UserResponse>,
      ) => this.answer(call, callback),
      watch: (call: ServerWritableStream<UserRequest, UserResponse>) => {
        this.streams.add(call);
        call.on('close', () => this.streams.delete(call));
        call.write({ message: '', server: this.id });
      },
    });
    this.health.addToServer(this.server);
    const injector = this.server.createConnectionInjector(ServerCredentials.createInsecure());
    const listener = createServer((socket) => {
      this.connections.add(socket);
      socket.once('close', () => this.connections.delete(socket));
      injector.injectConnection(socket);
    });
    this.listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    const bound = listener.address();
    if (bound === null || typeof bound === 'string') throw new Error('no port');
    this.address = `127.0.0.1:${bound.port}`;
    return this;
  }

  /** Ends at once, like a process that is killed. */
  stop(): void {
    this.listener?.close();
    this.server.forceShutdown();
    for (const socket of this.connections) socket.destroy();
  }

  private answer(
    { request, metadata }: ServerUnaryCall<UserRequest, UserResponse>,
    callback: sendUnaryData<UserResponse>,
  ): void {
    this.calls++;
    this.seen.push(metadata);
    const reply = () => {
      if (this.code === status.OK)
        callback(null, { message: `welcome ${request.name}`, server: this.id });
      else callback({ code: this.code, details: `as ${this.id} is told` });
    };
    if (this.held === undefined) reply();
    else this.held.push(reply);
  }
}

/** The `User` service as Nest's client offers it. */
interface UserService {
  login(request: UserRequest, metadata?: Metadata): Observable<UserResponse>;
  watch(request: UserRequest): Observable<UserResponse>;
}

/** A client, with the calls that tests make. */
export interface FleetClient {
  readonly users: UserService;
  /** Makes one call; resolves with the name of the server that answered. */
  call(name?: string, headers?: Readonly<Record<string, string>>): Promise<string>;
  /** Makes this many calls one after the other; counts the answers by server, and the failures by status. */
  spread(calls: number, name?: (call: number) => string): Promise<Record<string, number>>;
  /** Makes this many calls at the same time, and counts them as `spread` does. */
  burst(calls: number): Promise<Record<string, number>>;
  /** Calls until the answers so far meet the condition; for waiting on a state. */
  until(done: (server: string, answers: ReadonlySet<string>) => boolean): Promise<void>;
}

/** The servers of one test, stopped by `close`. */
export class Fleet {
  readonly registry = new MemoryRegistry();
  private readonly closers: (() => unknown)[] = [];
  private readonly servers = new Set<TestServer>();

  /** Starts servers with these records and lists them. */
  async start(
    records: Readonly<Record<string, Readonly<Record<string, JsonValue>>>>,
  ): Promise<TestServer[]> {
    const servers = await Promise.all(
      Object.entries(records).map(([id, metadata]) => new TestServer(id, metadata).start()),
    );
    this.list(servers);
    return servers;
  }

  /** Replaces the list that clients see. */
  list(servers: readonly (TestServer | Endpoint)[]): void {
    for (const server of servers) {
      if (server instanceof TestServer) this.servers.add(server);
    }
    this.registry.setEndpoints(
      'api',
      servers.map((server) => (server instanceof TestServer ? server.endpoint : server)),
    );
  }

  async client(definition: Partial<ClientDefinition> = {}): Promise<FleetClient> {
    const { registry } = this;
    const started = await startUserClient({ registry, removalGuard: false }, definition);
    this.closers.push(() => started.close());
    const users = started.client.getService<UserService>('User');
    const call: FleetClient['call'] = async (name = 'x', headers = {}) => {
      const metadata = new Metadata();
      for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
      return (await firstValueFrom(users.login({ name, password: '' }, metadata))).server;
    };
    const outcome = (name?: string) =>
      call(name).catch(({ code }: { code: status }) => status[code]);
    return {
      users,
      call,
      async spread(calls, name) {
        const answers: string[] = [];
        for (let at = 0; at < calls; at++) answers.push(await outcome(name?.(at)));
        return count(answers);
      },
      burst: async (calls) =>
        count(await Promise.all(Array.from({ length: calls }, () => outcome()))),
      async until(done) {
        const answers = new Set<string>();
        for (let at = 0; at < 20_000; at++) {
          const answer = await outcome();
          if (done(answer, answers.add(answer))) return;
          await new Promise((resolve) => setImmediate(resolve));
        }
        throw new Error(`the state did not come: ${[...answers].join()}`);
      },
    };
  }

  async close(): Promise<void> {
    for (const close of this.closers.splice(0).toReversed()) await close();
    for (const server of this.servers) server.stop();
  }
}

function count(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}
