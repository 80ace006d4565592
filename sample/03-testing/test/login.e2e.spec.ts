/** An end-to-end test: a real server, a real client, and an etcd in this process. */
import 'reflect-metadata';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, Transport } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { DiscoveryModule, ServiceRegistrar } from 'nestjs-grpc-discovery';
import { EmbeddedEtcd } from 'nestjs-grpc-discovery/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AppModule, protoPath } from '../src/app.module.js';
import { LoginService } from '../src/login.service.js';

let etcd: EmbeddedEtcd;
let server: INestMicroservice;
let client: TestingModule;

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start();
  process.env['ETCD_HOSTS'] = etcd.hosts.join(',');

  @Controller()
  class UserController {
    @GrpcMethod('User', 'Login')
    login({ name }: { name: string }) {
      return { message: `hello ${name}` };
    }
  }
  @Module({
    imports: [
      DiscoveryModule.forRoot({ service: { name: 'api', ttlSeconds: 2, drainDelayMs: 0 } }),
    ],
    controllers: [UserController],
  })
  class ServerModule {}
  server = await NestFactory.createMicroservice(ServerModule, {
    transport: Transport.GRPC,
    options: { package: 'user', protoPath, url: '127.0.0.1:0' },
    logger: false,
  });
  await server.listen();

  client = await Test.createTestingModule({ imports: [AppModule] }).compile();
  await client.init();
});

afterAll(async () => {
  await client.close();
  await server.close();
  await etcd.stop();
  delete process.env['ETCD_HOSTS'];
});

it('the login service greets through the server that discovery found', async () => {
  expect(await client.get(LoginService).greet('Ada')).toBe('HELLO ADA');
});

it('the login service still greets while the registration is lost, until the server has registered again', async () => {
  const states: string[] = [];
  const following = server
    .get(ServiceRegistrar)
    .status$.subscribe(({ state }) => states.push(state));
  expect(states).toEqual(['registered']);
  etcd.faults.expireLeasesNow();
  // The server notices with its next keepalive, which is due within a third of the time to live.
  while (states.length === 1 || states.at(-1) !== 'registered') {
    // The client keeps its last server, because the connection to it is ready.
    expect(await client.get(LoginService).greet('Ada')).toBe('HELLO ADA');
  }
  following.unsubscribe();
});
