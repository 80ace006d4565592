/**
 * Nest's hooks in the order this library needs. Nest calls bootstrap hooks from the modules farthest from the root to the
 * nearest, and shutdown hooks the other way round; a global module counts as farthest. So a module of its own, nearer than
 * the root itself, is the last to hear of the bootstrap and the first to hear of the shutdown: records go in when
 * everything is up, and come out before anything goes down.
 */
import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ServiceRegistrar } from './grpc-registrar.service.js';

/** Nearer than any module that Nest itself places (the root module has 1). */
const NEAREST = -1;

/** Imported by `DiscoveryModule`; not for users. */
@Module({})
export class DiscoveryLifecycleModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(ServiceRegistrar) private readonly registrar: ServiceRegistrar,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    for (const module of modules.values()) {
      if (module.metatype === DiscoveryLifecycleModule) module.distance = NEAREST;
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.registrar.onBootstrapped();
  }

  async onModuleDestroy(): Promise<void> {
    await this.registrar.shutDown();
  }
}
