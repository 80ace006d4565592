/** Nest applications of the test service, inside the test process. A test that starts one must close it. */
import 'reflect-metadata';
import {
  type INestApplication,
  type INestApplicationContext,
  type INestMicroservice,
  Module,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ClientGrpc, type GrpcOptions, Transport } from '@nestjs/microservices';
import {
  type ClientDefinition,
  DiscoveryModule,
  type DiscoveryModuleOptions,
  getGrpcClientToken,
} from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';
import {
  USER_CONTROLLER_OPTIONS,
  UserController,
  type UserRequest,
  type UserResponse,
} from './apps/user.controller.js';

/** The proto file of the test service. */
export const userProtoPath = new URL('./proto/user.proto', import.meta.url).pathname;

export interface UserServerOptions {
  readonly discovery: DiscoveryModuleOptions;
  /** The name of the server in its answers. Default `nest`. */
  readonly id?: string;
  readonly delayMs?: number;
  readonly providers?: ModuleMetadata['providers'];
  /** Further controllers, beside the controller of the test service. */
  readonly controllers?: ModuleMetadata['controllers'];
}

/** The module of a server of the test service. */
export function userModule(options: UserServerOptions): new () => object {
  @Module({
    imports: [DiscoveryModule.forRoot(options.discovery)],
    controllers: [UserController, ...(options.controllers ?? [])],
    providers: [
      {
        provide: USER_CONTROLLER_OPTIONS,
        useValue: { id: options.id ?? 'nest', delayMs: options.delayMs ?? 0 },
      },
      ...(options.providers ?? []),
    ],
  })
  class UserModule {}
  return UserModule;
}

/** The options of Nest's gRPC transport for the test service. */
export function grpcOptions(url = '127.0.0.1:0'): GrpcOptions {
  return { transport: Transport.GRPC, options: { package: 'user', protoPath: userProtoPath, url } };
}

/** A pure microservice that listens. */
export async function startUserServer(
  options: UserServerOptions & { readonly url?: string },
): Promise<INestMicroservice> {
  const app = await NestFactory.createMicroservice(userModule(options), {
    ...grpcOptions(options.url),
    logger: false,
  });
  await app.listen();
  return app;
}

/** An HTTP application to which microservices can be connected. */
export function createHybrid(options: UserServerOptions): Promise<INestApplication> {
  return NestFactory.create(userModule(options), { logger: false });
}

/** A client of the test service: an application context with one injected client. */
export interface UserClient {
  readonly app: INestApplicationContext;
  readonly client: ClientGrpc;
  login(name?: string): Promise<UserResponse>;
  close(): Promise<void>;
}

/** A client application. */
export async function startUserClient(
  discovery: DiscoveryModuleOptions,
  definition: Partial<ClientDefinition> = {},
): Promise<UserClient> {
  const name = definition.name ?? 'api';
  @Module({
    imports: [
      DiscoveryModule.forRoot(discovery),
      DiscoveryModule.forFeature([
        { package: 'user', protoPath: userProtoPath, ...definition, name },
      ]),
    ],
  })
  class ClientModule {}
  const app = await NestFactory.createApplicationContext(ClientModule, { logger: false });
  const client = app.get<ClientGrpc>(getGrpcClientToken(name), { strict: false });
  const users = client.getService<{
    login(request: UserRequest): Observable<UserResponse>;
  }>('User');
  return {
    app,
    client,
    login: (user = '张三') => firstValueFrom(users.login({ name: user, password: '111111' })),
    close: () => app.close(),
  };
}

/** Makes calls until their answers so far fulfil a condition; so a test can wait for a state of the fleet. */
export async function loginUntil(
  client: UserClient,
  done: (server: string) => boolean,
): Promise<number> {
  for (let calls = 1; calls <= 10_000; calls++) {
    const { server } = await client.login();
    if (done(server)) return calls;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('the state did not come within 10,000 calls');
}

/** How many of `calls` calls each server answers. */
export async function countByServer(
  client: UserClient,
  calls: number,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let call = 0; call < calls; call++) {
    const { server } = await client.login();
    counts[server] = (counts[server] ?? 0) + 1;
  }
  return counts;
}
