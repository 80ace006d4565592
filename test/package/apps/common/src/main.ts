/**
 * An application of somebody who has installed the package: a server that registers itself and a client that
 * finds it, in one process, which ends by itself when both are closed. Prints one JSON event per line.
 * `ETCD_HOSTS` says where etcd is.
 */
import 'reflect-metadata';
import { join } from 'node:path';
import { Controller, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientGrpc,
  GrpcMethod,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import {
  DiscoveryModule,
  InjectGrpcClient,
  type RegistrarState,
  ServiceRegistrar,
} from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';

interface UserResponse {
  readonly message: string;
  readonly server: string;
}

interface UserClient {
  login(request: { readonly name: string }): Observable<UserResponse>;
}

const protoPath = join(process.cwd(), 'proto/user.proto');

@Controller()
class UserController {
  @GrpcMethod('User', 'Login')
  login({ name }: { name: string }): UserResponse {
    return { message: `welcome ${name}`, server: 'packed' };
  }
}

@Module({
  imports: [DiscoveryModule.forRoot({ service: { name: 'api', ttlSeconds: 10 } })],
  controllers: [UserController],
})
class ServerModule {}

@Injectable()
class Gateway implements OnModuleInit {
  private users!: UserClient;

  constructor(@InjectGrpcClient('api') private readonly api: ClientGrpc) {}

  onModuleInit(): void {
    this.users = this.api.getService<UserClient>('User');
  }

  login(name: string): Promise<UserResponse> {
    return firstValueFrom(this.users.login({ name }));
  }
}

@Module({
  imports: [
    DiscoveryModule.forRoot(),
    DiscoveryModule.forFeature([
      { name: 'api', package: 'user', protoPath, loadBalancing: 'round_robin' },
    ]),
  ],
  providers: [Gateway],
})
class ClientModule {}

function emit(event: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

async function main(): Promise<void> {
  const server = await NestFactory.createMicroservice<MicroserviceOptions>(ServerModule, {
    transport: Transport.GRPC,
    options: { package: 'user', protoPath, url: '127.0.0.1:0' },
    logger: ['warn', 'error'],
  });
  server.enableShutdownHooks();
  await server.listen();
  const state: RegistrarState = server.get(ServiceRegistrar).status.state;
  emit('listening', { state });

  const client = await NestFactory.createApplicationContext(ClientModule, {
    logger: ['warn', 'error'],
  });
  emit('answered', await client.get(Gateway).login('张三'));
  await client.close();
  await server.close();
  emit('closed');
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
