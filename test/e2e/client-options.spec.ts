/** A discovered client accepts and applies every option of Nest's own client. */
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientDefaults,
  type ClientDefinition,
  DiscoveryModule,
  GrpcClientFactory,
  MemoryRegistry,
} from 'nestjs-grpc-discovery';
import { lastValueFrom, type Observable } from 'rxjs';
import { afterEach, expect, it } from 'vitest';
import {
  type ShapesMessage,
  type ShapesServer,
  shapesProtoPath,
  startShapesServer,
} from '../support/shapes-server.js';

type Send = (message: ShapesMessage) => Observable<ShapesMessage>;

/** More than the 4 MiB that gRPC takes by default. */
const LARGE = 5 * 1024 * 1024;

let server: ShapesServer | undefined;
let app: INestApplicationContext;
afterEach(async () => {
  await app.close();
  server?.stop();
});

/** A factory of clients whose server answers with as many bytes as the request's text says. */
async function start(clientDefaults: ClientDefaults = {}): Promise<GrpcClientFactory> {
  server = await startShapesServer(({ text }) => ({ bytes: Buffer.alloc(Number(text)) }));
  const registry = new MemoryRegistry();
  registry.setEndpoints('api', [server.address]);
  @Module({ imports: [DiscoveryModule.forRoot({ registry, clientDefaults })] })
  class ClientModule {}
  app = await NestFactory.createApplicationContext(ClientModule, { logger: false });
  return app.get(GrpcClientFactory);
}

async function receive(factory: GrpcClientFactory, definition: Partial<ClientDefinition>) {
  const client = factory.create({ name: 'api', package: 'shapes', ...definition });
  const service = client.getService<{ unary: Send; download: Send }>('Shapes');
  const { bytes } = await lastValueFrom(service.unary({ text: String(LARGE) }));
  await lastValueFrom(service.download({ text: String(LARGE) }));
  return bytes?.length;
}

it('maxReceiveMessageLength alone lets an answer above 4 MiB pass, in a client or in clientDefaults', async () => {
  const protoPath = shapesProtoPath;
  const factory = await start({ maxReceiveMessageLength: -1 });
  expect(await receive(factory, { protoPath })).toBe(LARGE);
  expect(await receive(factory, { protoPath, maxReceiveMessageLength: 2 * LARGE })).toBe(LARGE);
  const small = { 'grpc.max_receive_message_length': LARGE };
  for (const given of [{ maxReceiveMessageLength: LARGE }, { channelOptions: small }]) {
    await expect(receive(factory, { protoPath, ...given })).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
  }
});

it('a request above maxSendMessageLength is not sent', async () => {
  const factory = await start();
  const definition = { package: 'shapes', protoPath: shapesProtoPath, maxSendMessageLength: 100 };
  const service = factory
    .create({ name: 'api', ...definition })
    .getService<{ unary: Send }>('Shapes');
  await expect(
    lastValueFrom(service.unary({ text: '1', bytes: Buffer.alloc(101) })),
  ).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  expect((await lastValueFrom(service.unary({ text: '1' }))).bytes).toHaveLength(1);
});

it('a packageDefinition takes the place of protoPath, and protoLoader names a loader', async () => {
  const factory = await start({ maxReceiveMessageLength: -1 });
  const packageDefinition = loadSync(shapesProtoPath);
  expect(await receive(factory, { packageDefinition })).toBe(LARGE);
  expect(await receive(factory, { packageDefinition, protoPath: 'none.proto' })).toBe(LARGE);
  const loading = { protoPath: shapesProtoPath, protoLoader: '@grpc/proto-loader' };
  expect(await receive(factory, loading)).toBe(LARGE);
});

it('the empty package finds the services of a proto without a package', async () => {
  const protoPath = new URL('../support/proto/bare.proto', import.meta.url).pathname;
  const { Bare } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
    Bare: ServiceClientConstructor;
  };
  const bare = new Server();
  bare.addService(Bare.service, {
    echo: ({ request }: { request: object }, done: (error: null, answer: object) => void) =>
      done(null, request),
  });
  const port = await new Promise<number>((resolve, reject) =>
    bare.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const registry = new MemoryRegistry();
  registry.setEndpoints('bare', [`127.0.0.1:${port}`]);
  @Module({ imports: [DiscoveryModule.forRoot({ registry })] })
  class ClientModule {}
  app = await NestFactory.createApplicationContext(ClientModule, { logger: false });
  const service = app
    .get(GrpcClientFactory)
    .create({ name: 'bare', package: '', protoPath, retry: { methods: ['Bare/echo'] } })
    .getService<{ echo: Send }>('Bare');
  expect(await lastValueFrom(service.echo({ text: 'a' }))).toMatchObject({ text: 'a' });
  bare.forceShutdown();
});
