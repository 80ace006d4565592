import 'reflect-metadata';
import { type DynamicModule, type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  DiscoveryModule,
  type DiscoveryModuleOptions,
  MemoryRegistry,
  Registry,
  ServiceRegistrar,
} from 'nestjs-grpc-discovery';
import { describe, expect, it, vi } from 'vitest';

const options = (): DiscoveryModuleOptions => ({ registry: new MemoryRegistry() });

function moduleOf(...imports: NonNullable<DynamicModule['imports']>): new () => object {
  @Module({ imports })
  class SomeModule {}
  return SomeModule;
}

function start(root: new () => object): Promise<INestApplicationContext> {
  return NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
}

const refusal =
  '[INVALID_OPTION] option forRoot is "imported 2 times"; allowed: once in an application, in its root module';

describe('forRoot', () => {
  it.each([
    [
      'in the root module and in a feature module',
      () =>
        moduleOf(
          DiscoveryModule.forRoot(options()),
          moduleOf(DiscoveryModule.forRoot({ ...options(), service: { name: 'api' } })),
        ),
    ],
    [
      'as forRoot and as forRootAsync',
      () =>
        moduleOf(
          moduleOf(DiscoveryModule.forRootAsync({ useFactory: options })),
          DiscoveryModule.forRoot(options()),
        ),
    ],
  ])('fails the start if the application imports it twice: %s', async (_, root) => {
    await expect(start(root())).rejects.toThrow(refusal);
  });

  it('makes one registrar if several modules import the same forRoot, beside any number of forFeature', async () => {
    const registry = new MemoryRegistry();
    const closed = vi.spyOn(registry, 'close');
    const root = DiscoveryModule.forRoot({ registry });
    const feature = moduleOf(root, DiscoveryModule.forFeature([]));
    const app = await start(moduleOf(root, feature, DiscoveryModule.forFeature([])));
    const registrars = app.get(ServiceRegistrar, { strict: false, each: true });
    expect(registrars).toHaveLength(1);
    expect(app.get(Registry, { strict: false })).toBe(registry);
    await app.close();
    expect(closed).toHaveBeenCalledTimes(1);
  });
});
