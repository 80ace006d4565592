/** A unit test: the injected client is replaced, nothing is dialled. */
import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { DiscoveryModule, getGrpcClientToken } from 'nestjs-grpc-discovery';
import { createTestingRegistry } from 'nestjs-grpc-discovery/testing';
import { of } from 'rxjs';
import { expect, it } from 'vitest';
import { protoPath } from '../src/app.module.js';
import { LoginService } from '../src/login.service.js';

it('the login service greets in capitals', async () => {
  const module = await Test.createTestingModule({
    imports: [
      DiscoveryModule.forRoot({ registry: createTestingRegistry() }),
      DiscoveryModule.forFeature([{ name: 'api', package: 'user', protoPath }]),
    ],
    providers: [LoginService],
  })
    .overrideProvider(getGrpcClientToken('api'))
    .useValue({ getService: () => ({ login: () => of({ message: 'welcome' }) }) })
    .compile();
  await module.init();
  expect(await module.get(LoginService).greet('张三')).toBe('WELCOME');
  await module.close();
});
