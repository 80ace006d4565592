/** A server is in the registry only while it is ready, and its grpc.health.v1 answers the same. */
import {
  credentials,
  loadPackageDefinition,
  type Server,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod } from '@nestjs/microservices';
import { HealthImplementation, protoPath } from 'grpc-health-check';
import { MemoryRegistry, ServiceRegistrar } from 'nestjs-grpc-discovery';
import { filter, firstValueFrom } from 'rxjs';
import { afterEach, expect, it } from 'vitest';
import { freePort } from '../support/free-port.js';
import {
  createHybrid,
  grpcOptions,
  startUserServer,
  userModule,
  userProtoPath,
} from '../support/user-apps.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const service = { name: 'api', drainDelayMs: 0 };

/** The application's own health service. */
@Controller()
class HealthController {
  @GrpcMethod('Health', 'Check')
  check(): { status: number } {
    return { status: 1 };
  }
}

async function start(options: Parameters<typeof startUserServer>[0]['discovery']) {
  const app = await startUserServer({ discovery: options });
  closers.push(() => app.close());
  const registrar = app.get(ServiceRegistrar, { strict: false });
  const reaches = (state: string) =>
    firstValueFrom(registrar.status$.pipe(filter((status) => status.state === state)));
  return { app, reaches };
}

it('the record is added and removed as the readiness check answers', async () => {
  const registry = new MemoryRegistry();
  let ready = false;
  const { reaches } = await start({
    registry,
    service,
    readiness: { check: () => ready, intervalMs: 10 },
  });
  expect(registry.endpoints('api')).toEqual([]);
  ready = true;
  await reaches('registered');
  expect(registry.endpoints('api')).toHaveLength(1);
  ready = false;
  await reaches('idle');
  expect(registry.endpoints('api')).toEqual([]);
  ready = true;
  await reaches('registered');
});

it.each([
  ['throws', () => Promise.reject(new Error('database away'))],
  ['answers as a failed Terminus check', () => ({ status: 'error' })],
  ['never answers', () => new Promise(() => {})],
])('a readiness check that %s keeps the record out of the registry', async (_how, check) => {
  const registry = new MemoryRegistry();
  await start({ registry, service, readiness: { check, intervalMs: 10, timeoutMs: 10 } });
  expect(registry.endpoints('api')).toEqual([]);
});

it('with a Terminus result "ok" the record is there before listen() resolves', async () => {
  const registry = new MemoryRegistry();
  await start({ registry, service, readiness: () => Promise.resolve({ status: 'ok' }) });
  expect(registry.endpoints('api')).toHaveLength(1);
});

it('the health option serves grpc.health.v1, which follows readiness and ends with the drain', async () => {
  const registry = new MemoryRegistry();
  let ready = true;
  const { app, reaches } = await start({
    registry,
    service: { ...service, drainDelayMs: 300 },
    health: true,
    readiness: { check: () => ready, intervalMs: 10 },
  });
  const check = healthCheck(registry.endpoints('api')[0]?.address ?? '');
  expect(await check()).toBe('SERVING');
  ready = false;
  await reaches('idle');
  expect(await check()).toBe('NOT_SERVING');
  ready = true;
  await reaches('registered');
  expect(await check()).toBe('SERVING');
  const drained = app.get(ServiceRegistrar, { strict: false }).drain();
  expect(await check()).toBe('NOT_SERVING');
  await drained;
});

it('the health option answers for each service that the server has, and for no other', async () => {
  const registry = new MemoryRegistry();
  let ready = true;
  const { reaches } = await start({
    registry,
    service,
    health: true,
    readiness: { check: () => ready, intervalMs: 10 },
  });
  const check = healthCheck(registry.endpoints('api')[0]?.address ?? '');
  expect(await check('user.User')).toBe('SERVING');
  await expect(check('user.Nothing')).rejects.toMatchObject({ code: status.NOT_FOUND });
  ready = false;
  await reaches('idle');
  expect(await check('user.User')).toBe('NOT_SERVING');
});

it.each(['onLoadPackageDefinition', 'a controller'])(
  'the health option beside a health service of the application, from %s, fails the start, and the error names both',
  async (how) => {
    const own = new HealthImplementation({ '': 'SERVING' });
    const { options } = grpcOptions();
    const others =
      how === 'a controller'
        ? { package: ['user', 'grpc.health.v1'], protoPath: [userProtoPath, protoPath] }
        : { onLoadPackageDefinition: (_: unknown, server: Server) => own.addToServer(server) };
    const discovery = { registry: new MemoryRegistry(), service, health: true };
    const app = await NestFactory.createMicroservice(
      userModule({ discovery, controllers: [HealthController] }),
      { ...grpcOptions(), options: { ...options, ...others }, logger: false },
    );
    closers.push(() => app.close());
    await expect(app.listen()).rejects.toThrow(
      /^\[INVALID_OPTION\] option health is true, and the application serves grpc\.health\.v1\.Health itself.*Leave the option out/,
    );
    expect(discovery.registry.endpoints('api')).toEqual([]);
  },
);

it.each(['microservices first', 'HTTP first'])(
  'the health option serves both gRPC servers of a hybrid that starts its %s',
  async (order) => {
    const registry = new MemoryRegistry();
    const app = await createHybrid({ discovery: { registry, service, health: true } });
    closers.push(() => app.close());
    app.connectMicroservice(grpcOptions());
    app.connectMicroservice(grpcOptions());
    if (order === 'microservices first') await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    if (order === 'HTTP first') await app.startAllMicroservices();
    const addresses = registry.endpoints('api').map(({ address }) => address);
    const answers = await Promise.all(addresses.map((address) => healthCheck(address)()));
    expect(answers).toEqual(['SERVING', 'SERVING']);
  },
);

it('the health option serves an application that offers no service to others', async () => {
  const port = await freePort();
  const { transport, options } = grpcOptions(`127.0.0.1:${port}`);
  const discovery = { registry: new MemoryRegistry(), health: true };
  const app = await NestFactory.createMicroservice(userModule({ discovery }), {
    transport,
    options,
    logger: false,
  });
  closers.push(() => app.close());
  await app.listen();
  expect(await healthCheck(`127.0.0.1:${port}`)()).toBe('SERVING');
});

it("an application's own grpc.health.v1 decides whether the application is registered", async () => {
  const registry = new MemoryRegistry();
  const health = new HealthImplementation({ '': 'NOT_SERVING' });
  const { options } = grpcOptions();
  const app = await NestFactory.createMicroservice(
    userModule({ discovery: { registry, service } }),
    {
      ...grpcOptions(),
      options: {
        ...options,
        onLoadPackageDefinition: (_package: unknown, server: Server) => health.addToServer(server),
      },
      logger: false,
    },
  );
  closers.push(() => app.close());
  await app.listen();
  expect(registry.endpoints('api')).toEqual([]);
  health.setStatus('', 'SERVING');
  const registrar = app.get(ServiceRegistrar, { strict: false });
  await firstValueFrom(registrar.status$.pipe(filter(({ state }) => state === 'registered')));
  expect(registry.endpoints('api')).toHaveLength(1);
});

function healthCheck(address: string): (service?: string) => Promise<string> {
  const loaded = loadPackageDefinition(
    loadSync(protoPath, { enums: String, defaults: true }),
  ) as unknown as {
    grpc: {
      health: {
        v1: {
          Health: new (
            target: string,
            creds: unknown,
          ) => {
            check(
              request: object,
              callback: (error: ServiceError | null, reply?: { status: string }) => void,
            ): void;
            close(): void;
          };
        };
      };
    };
  };
  const client = new loaded.grpc.health.v1.Health(address, credentials.createInsecure());
  closers.push(() => Promise.resolve(client.close()));
  return (name = '') =>
    new Promise((resolve, reject) =>
      client.check({ service: name }, (error, reply) =>
        error ? reject(error) : resolve(reply?.status ?? ''),
      ),
    );
}
