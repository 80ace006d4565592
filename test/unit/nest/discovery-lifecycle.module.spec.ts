import 'reflect-metadata';
import { type DynamicModule, type INestApplicationContext, Module } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import {
  DiscoveryModule,
  type DiscoveryModuleOptions,
  MemoryRegistry,
  Registry,
  ServiceRegistrar,
} from 'nestjs-grpc-discovery';
import { describe, expect, it, vi } from 'vitest';
import { DiscoveryLifecycleModule } from '../../../lib/nest/discovery-lifecycle.module.js';

const options = (): DiscoveryModuleOptions => ({ registry: new MemoryRegistry() });

function moduleOf(...imports: NonNullable<DynamicModule['imports']>): new () => object {
  @Module({ imports })
  class SomeModule {}
  return SomeModule;
}

function start(root: new () => object): Promise<INestApplicationContext> {
  return NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
}

it('the lifecycle passes the hooks of Nest on to the registrar, and waits for it', async () => {
  const heard: string[] = [];
  let end: (() => void) | undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const registrar = {
    onInitializing: () => heard.push('initializing'),
    onBootstrapped: () => ended.then(() => heard.push('bootstrapped')),
    shutDown: () => ended.then(() => heard.push('shut down')),
  } as unknown as ServiceRegistrar;
  const lifecycle = new DiscoveryLifecycleModule(registrar, new ModulesContainer());
  lifecycle.configure();
  expect(heard).toEqual(['initializing']);
  const hooks = [lifecycle.onApplicationBootstrap(), lifecycle.onModuleDestroy()];
  end?.();
  await Promise.all(hooks);
  expect(heard).toEqual(['initializing', 'bootstrapped', 'shut down']);
});

it('the lifecycle fails if another copy of Nest has made the application', () => {
  expect(() => new DiscoveryLifecycleModule({} as ServiceRegistrar, undefined)).toThrow(
    '[UNSUPPORTED_VERSION] @nestjs/core is there twice',
  );
});

it('services are registered after every other bootstrap hook, and removed before any other shutdown hook', async () => {
  const heard: string[] = [];
  class OtherHooks {
    onApplicationBootstrap = (): void => void heard.push('bootstrap');
    onModuleDestroy = (): void => void heard.push('destroy');
  }
  vi.spyOn(ServiceRegistrar.prototype, 'onBootstrapped').mockImplementation(
    async () => void heard.push('registered'),
  );
  vi.spyOn(ServiceRegistrar.prototype, 'shutDown').mockImplementation(
    async () => void heard.push('removed'),
  );
  @Module({ imports: [DiscoveryModule.forRoot(options())], providers: [OtherHooks] })
  class AppModule {}
  const app = await start(AppModule);
  await app.close();
  vi.restoreAllMocks();
  expect(heard).toEqual(['bootstrap', 'registered', 'removed', 'destroy']);
});

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
