/**
 * A server with etcd's API that answers what a test says: answers that no etcd gives, but a proxy, a fault or
 * another version might give.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  loadPackageDefinition,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type ServiceDefinition,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const proto = join(dirname(createRequire(import.meta.url).resolve('etcd3')), '../proto/rpc.proto');

/** A message of etcd's API, with the names of etcd's proto files. */
export type Message = object;
/** An answer: messages (none: the stream stays silent), or a status. Bytes are sent as they are. */
export type Answer = readonly (Message | Buffer)[] | Partial<StatusObject>;

/** The methods of etcd's API that a test can answer, with their services. */
export const METHODS = {
  range: 'KV',
  txn: 'KV',
  leaseGrant: 'Lease',
  leaseRevoke: 'Lease',
  leaseKeepAlive: 'Lease',
  watch: 'Watch',
  authenticate: 'Auth',
  memberList: 'Cluster',
} as const;
export type Method = keyof typeof METHODS;

/** A running odd etcd. A test that starts it must stop it. */
export class OddEtcd {
  /** How often each method was called, or for a stream, how often one was opened. */
  readonly calls = new Map<Method, number>();

  private constructor(
    private readonly server: Server,
    private readonly answers: Partial<Record<Method, (request: Message) => Answer>>,
    readonly port: number,
  ) {}

  /** @param answers the answers by method; a method without an answer is not implemented */
  static async start(
    answers: Partial<Record<Method, (request: Message) => Answer>>,
  ): Promise<OddEtcd> {
    const server = new Server();
    let etcd: OddEtcd | undefined;
    for (const service of new Set(Object.values(METHODS))) {
      const handlers: Record<string, unknown> = {};
      for (const [method, of] of Object.entries(METHODS)) {
        if (of !== service || answers[method as Method] === undefined) continue;
        handlers[method] = (call: Call, reply: sendUnaryData<Message>) =>
          etcd?.answer(method as Method, call, reply);
      }
      server.addService(definitionOf(service), handlers as never);
    }
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    etcd = new OddEtcd(server, answers, port);
    return etcd;
  }

  /** The value of the option `etcd: { hosts }`. */
  get hosts(): string[] {
    return [`http://127.0.0.1:${this.port}`];
  }

  stop(): void {
    this.server.forceShutdown();
  }

  private answer(method: Method, call: Call, reply: sendUnaryData<Message>): void {
    const give = this.answers[method] ?? (() => []);
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    if ('request' in call && !isStream(method)) {
      const answer = give(call.request);
      if (!isMessages(answer)) reply({ details: '', ...answer });
      else reply(null, answer[0] ?? {});
      return;
    }
    const stream = call as ServerDuplexStream<Message, Message>;
    stream.on('error', () => {});
    stream.on('data', (request: Message) => {
      const answer = give(request);
      if (isMessages(answer)) for (const message of answer) stream.write(message);
      else stream.emit('error', answer);
    });
    stream.on('end', () => stream.end());
  }
}

function isStream(method: Method): boolean {
  return method === 'watch' || method === 'leaseKeepAlive';
}

type Call = ServerUnaryCall<Message, Message> | ServerDuplexStream<Message, Message>;

function isMessages(answer: Answer): answer is readonly Message[] {
  return Array.isArray(answer);
}

let loaded: Record<string, ServiceClientConstructor> | undefined;

function definitionOf(service: string): ServiceDefinition {
  loaded ??= (
    loadPackageDefinition(
      loadSync(proto, { keepCase: true, longs: String, enums: String }),
    ) as unknown as { etcdserverpb: typeof loaded }
  ).etcdserverpb;
  const methods = Object.entries(loaded?.[service]?.service ?? {}).map(([name, method]) => {
    const { responseSerialize: serialize } = method;
    const responseSerialize = (message: object): Buffer =>
      Buffer.isBuffer(message) ? message : serialize(message);
    return [name, { ...method, responseSerialize }] as const;
  });
  return Object.fromEntries(methods);
}
