/** A test in an application that has installed the package and uses Jest, as `nest new` sets it up. */
import 'reflect-metadata';
import { expect, test } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { DiscoveryModule, Registry } from 'nestjs-grpc-discovery';
import { EmbeddedEtcd } from 'nestjs-grpc-discovery/testing';
import { testRegistry } from './test-registry';

test('an application of the package starts in Jest, beside an embedded etcd', async () => {
  const etcd = await EmbeddedEtcd.start();
  const registry = testRegistry();
  const root = DiscoveryModule.forRoot({ registry });
  const app = await NestFactory.createApplicationContext(root, { logger: ['warn', 'error'] });
  expect(app.get(Registry)).toBe(registry);
  await app.close();
  await etcd.stop();
});
