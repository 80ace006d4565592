/**
 * The options of a client definition also apply to calls with interceptors of their own, however they are
 * made.
 */
import {
  type CallOptions,
  InterceptingCall,
  type Interceptor,
  Metadata,
  status,
} from '@grpc/grpc-js';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ClientGrpcProxy } from '@nestjs/microservices';
import {
  type ClientDefinition,
  DiscoveryModule,
  GrpcClientFactory,
  MemoryRegistry,
} from 'nestjs-grpc-discovery';
import { lastValueFrom, type Observable } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ShapesMessage,
  type ShapesServer,
  shapesProtoPath,
  startShapesServer,
} from '../support/shapes-server.js';

/** A call of a grpc-js client; its fields depend on which sides stream. */
interface RawCall {
  end(message?: object): void;
  on(event: 'data' | 'error', listener: (value: never) => void): RawCall;
}
type Raw = Readonly<Record<string, (...args: unknown[]) => RawCall>>;

let registry: MemoryRegistry;
let app: INestApplicationContext;
let servers: ShapesServer[];
/** The names of interceptors in the order in which the last call passed them. */
let seen: string[];

beforeEach(async () => {
  registry = new MemoryRegistry();
  servers = [];
  seen = [];
  @Module({ imports: [DiscoveryModule.forRoot({ registry })] })
  class ClientModule {}
  app = await NestFactory.createApplicationContext(ClientModule, { logger: false });
});

afterEach(async () => {
  await app.close();
  for (const server of servers) server.stop();
});

function create(definition: Partial<ClientDefinition>): ClientGrpcProxy {
  const whole = { name: 'api', package: 'shapes', protoPath: shapesProtoPath, ...definition };
  return app.get(GrpcClientFactory).create(whole);
}

async function serve(answer: (message: ShapesMessage) => ShapesMessage | undefined) {
  const server = await startShapesServer(answer);
  servers.push(server);
  registry.setEndpoints(
    'api',
    servers.map(({ address }) => address),
  );
}

function noting(name: string): Interceptor {
  return (options, next) => {
    seen.push(name);
    return new InterceptingCall(next(options));
  };
}

/** Makes one call on a client of plain grpc-js, and resolves with its last message. */
function send(client: Raw, method: string, message: ShapesMessage, options: CallOptions) {
  return new Promise<ShapesMessage | undefined>((resolve, reject) => {
    let last: ShapesMessage | undefined;
    const metadata = new Metadata();
    const done = (error: Error | null, answer?: ShapesMessage) =>
      error === null ? resolve(answer) : reject(error);
    const call = client[method];
    if (method === 'unary') call?.call(client, message, metadata, options, done);
    else if (method === 'upload') call?.call(client, metadata, options, done).end(message);
    else {
      const stream =
        method === 'download'
          ? call?.call(client, message, metadata, options)
          : call?.call(client, metadata, options);
      stream
        ?.on('data', (answer: ShapesMessage) => {
          last = answer;
        })
        .on('error', reject);
      (stream as unknown as { on(event: 'end', listener: () => void): void }).on('end', () =>
        resolve(last),
      );
      if (method === 'chat') stream?.end(message);
    }
  });
}

const hashKey = (message: unknown) => (message as ShapesMessage).text || undefined;

const impatient: Interceptor = (options, next) =>
  new InterceptingCall(next({ ...options, deadline: Date.now() + 100 }));

const raw = (proxy: ClientGrpcProxy): Raw => proxy.getClientByServiceName<Raw>('Shapes');

describe('a call with interceptors of its own', () => {
  it('ends after timeoutMs, whether getService() or getClientByServiceName() made its client', async () => {
    await serve(() => undefined);
    const client = create({ timeoutMs: 100 });
    const options = { interceptors: [noting('call')] };
    await expect(send(raw(client), 'unary', {}, options)).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    const service = client.getService<{
      unary(...args: unknown[]): Observable<ShapesMessage>;
    }>('Shapes');
    await expect(
      lastValueFrom(
        service.unary({}, new Metadata(), { interceptor_providers: [() => noting('call')] }),
      ),
    ).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(seen).toEqual(['call', 'call']);
  });

  it('ends at the deadline that its interceptor sets', async () => {
    await serve(() => undefined);
    // Without the interceptor the call would last an hour.
    const call = send(
      raw(create({ timeoutMs: 3_600_000 })),
      'unary',
      {},
      { interceptors: [impatient] },
    );
    await expect(call).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it.each(['unary', 'upload', 'download', 'chat'])('waits for a server: %s', async (method) => {
    registry.setEndpoints('api', []);
    const client = raw(create({ waitForReady: true }));
    const sent = send(client, method, { text: 'a' }, { interceptors: [noting('call')] });
    // A call that does not wait fails on the empty list.
    await expect(send(raw(create({})), method, {}, {})).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    await serve(({ text }) => ({ text: `${text} answered` }));
    expect(await sent).toMatchObject({ text: 'a answered' });
    expect(seen).toEqual(['call']);
  });

  it.each(['unary', 'download'])('goes to the server of its hash key: %s', async (method) => {
    await serve(() => ({ text: 'first' }));
    await serve(() => ({ text: 'second' }));
    const client = raw(create({ loadBalancing: { policy: 'consistent_hash', hashKey } }));
    // Calls without a key may go to any server; this loop ends when both servers are connected.
    for (const missing = new Set(['first', 'second']); missing.size > 0;) {
      missing.delete((await send(client, method, {}, {}))?.text ?? '');
    }
    const placeOf = async (key: string) => {
      const answers = new Set<string | undefined>();
      for (let call = 0; call < 8; call++) {
        const answer = await send(
          client,
          method,
          { text: key },
          { interceptors: [noting('call')] },
        );
        answers.add(answer?.text);
      }
      return [...answers].join();
    };
    const places = new Set<string>();
    for (let key = 0; key < 16; key++) places.add(await placeOf(`key ${key}`));
    expect([...places].toSorted()).toEqual(['first', 'second']);
  });

  it('runs its own interceptors before those of the client definition', async () => {
    await serve(() => ({}));
    const interceptors = [noting('definition')];
    const client = raw(create({ timeoutMs: 60_000, channelOptions: { interceptors } }));
    await send(client, 'unary', {}, { interceptors: [noting('first'), noting('second')] });
    expect(seen.splice(0)).toEqual(['first', 'second', 'definition']);
    await send(client, 'unary', {}, {});
    expect(seen).toEqual(['definition']);
  });
});
