/** The main job in one process: a server registers, a client finds it and calls. */
import 'reflect-metadata';
import { Controller, type INestMicroservice, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ClientGrpc, GrpcMethod, Transport } from '@nestjs/microservices';
import { DiscoveryModule, InjectGrpcClient } from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestEtcd, type TestEtcd } from '../support/test-etcd.js';

const protoPath = new URL('../support/proto/user.proto', import.meta.url).pathname;
let etcd: TestEtcd;
beforeAll(async () => {
  etcd = await startTestEtcd();
});
afterAll(() => etcd.stop());

it('a call reaches a registered server', async () => {
  @Controller()
  class UserController {
    @GrpcMethod('User', 'Login')
    login({ name }: { name: string }) {
      return { message: `welcome ${name}`, server: 'a' };
    }
  }
  @Module({
    imports: [DiscoveryModule.forRoot({ etcd: { hosts: etcd.hosts }, service: { name: 'api' } })],
    controllers: [UserController],
  })
  class AppModule {}
  const app: INestMicroservice = await NestFactory.createMicroservice(AppModule, {
    transport: Transport.GRPC,
    options: { package: 'user', protoPath, url: '0.0.0.0:0' },
  });
  await app.listen();
  @Injectable()
  class Gateway {
    constructor(@InjectGrpcClient('api') readonly api: ClientGrpc) {}
  }
  @Module({
    imports: [
      DiscoveryModule.forRoot({ etcd: { hosts: etcd.hosts } }),
      DiscoveryModule.forFeature([{ name: 'api', package: 'user', protoPath }]),
    ],
    providers: [Gateway],
  })
  class ClientModule {}
  const client = await NestFactory.createApplicationContext(ClientModule);
  const user = client
    .get(Gateway)
    .api.getService<{ login(r: object): Observable<{ message: string }> }>('User');
  const reply = await firstValueFrom(user.login({ name: '张三' }));
  expect(reply.message).toBe('welcome 张三');
  await app.close();
  await client.close();
});
