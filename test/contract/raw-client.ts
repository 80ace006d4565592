/** A plain client of etcd's API: only grpc-js and the proto files of the etcd3 package. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  Client,
  type ClientDuplexStream,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  credentials,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const protoFile = join(
  dirname(createRequire(import.meta.url).resolve('etcd3/package.json')),
  'proto/rpc.proto',
);
const definitions = loadSync(protoFile, { keepCase: true, longs: String, defaults: true });

/** A message of etcd's API, received or to be sent. */
export type Message = Record<string, unknown>;

/** Why a call failed. */
export interface Refusal {
  readonly code: string;
  readonly details: string;
}

/** The end of a call: a reply or a refusal. */
export type Outcome =
  | { readonly reply: Message; readonly refusal?: undefined }
  | { readonly refusal: Refusal; readonly reply?: undefined };

/** The definition of a method, by its path `Service/Method`. */
export function methodOf(path: string): MethodDefinition<object, Message> {
  const [service = '', method = ''] = path.split('/');
  const definition = definitions[`etcdserverpb.${service}`] as ServiceDefinition | undefined;
  const found = definition?.[method];
  if (found === undefined) throw new Error(`etcd's proto has no ${path}`);
  return found as MethodDefinition<object, Message>;
}

/** Metadata with these entries. */
export function metadataOf(entries: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  return metadata;
}

/** A connection to one server. */
export class RawClient {
  private readonly client: Client;

  constructor(address: string) {
    this.client = new Client(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
  }

  call(
    path: string,
    request: object,
    metadata = new Metadata(),
    timeoutMs = 10_000,
  ): Promise<Outcome> {
    const { path: fullPath, requestSerialize, responseDeserialize } = methodOf(path);
    return this.send(fullPath, requestSerialize(request), responseDeserialize, metadata, timeoutMs);
  }

  /** Sends bytes as they are, for requests that no client would make. */
  callBytes(path: string, bytes: Buffer): Promise<Outcome> {
    const { path: fullPath, responseDeserialize } = methodOf(path);
    return this.send(fullPath, bytes, responseDeserialize, new Metadata(), 10_000);
  }

  /** Calls a method by its full path, also one that does not exist. */
  callPath(fullPath: string, bytes: Buffer): Promise<Outcome> {
    return this.send(fullPath, bytes, () => ({}), new Metadata(), 10_000);
  }

  stream(path: string, metadata = new Metadata()): RawStream {
    const { path: fullPath, requestSerialize, responseDeserialize } = methodOf(path);
    return new RawStream(
      this.client.makeBidiStreamRequest(fullPath, requestSerialize, responseDeserialize, metadata),
    );
  }

  close(): void {
    this.client.close();
  }

  private send(
    path: string,
    bytes: Buffer,
    deserialize: (bytes: Buffer) => Message,
    metadata: Metadata,
    timeoutMs: number,
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      this.client.makeUnaryRequest(
        path,
        (raw: Buffer) => raw,
        deserialize,
        bytes,
        metadata,
        { deadline: Date.now() + timeoutMs },
        (error, reply) => {
          if (error === null) resolve({ reply: reply as Message });
          else resolve({ refusal: { code: status[error.code], details: error.details } });
        },
      );
    });
  }
}

/** A stream whose messages a test takes one after the other. */
export class RawStream {
  private readonly messages: Message[] = [];
  private readonly waiting: (() => void)[] = [];
  private refusal: Refusal | undefined;

  constructor(private readonly call: ClientDuplexStream<object, Message>) {
    call.on('data', (message: Message) => {
      this.messages.push(message);
      this.wake();
    });
    call.on('error', () => undefined);
    call.on('status', (end) => {
      this.refusal = { code: status[end.code], details: end.details };
      this.wake();
    });
  }

  send(message: object): void {
    this.call.write(message);
  }

  /** The next message. Throws if the stream ends, or no message comes in time. */
  async next(timeoutMs = 8_000): Promise<Message> {
    await this.until(() => this.messages.length > 0 || this.refusal !== undefined, timeoutMs);
    const message = this.messages.shift();
    if (message === undefined) throw new Error(`stream ended: ${JSON.stringify(this.refusal)}`);
    return message;
  }

  /** Waits until the stream has ended, and returns how. */
  async ended(timeoutMs = 8_000): Promise<Refusal> {
    await this.until(() => this.refusal !== undefined, timeoutMs);
    return this.refusal as Refusal;
  }

  /** How many messages came and were not taken yet. */
  get untaken(): number {
    return this.messages.length;
  }

  end(): void {
    this.call.end();
  }

  cancel(): void {
    this.call.cancel();
  }

  private async until(isTrue: () => boolean, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!isTrue()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`nothing came on the stream within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
