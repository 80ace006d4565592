/**
 * Nest's hooks in the order this library needs. Nest calls bootstrap hooks from the modules farthest from the
 * root to the nearest, and shutdown hooks the other way round; a global module counts as farthest. So a
 * module of its own, nearer than the root itself, gets the bootstrap hook last and the shutdown hook first:
 * records are registered when everything is up, and removed before anything goes down.
 */
import {
  Inject,
  Module,
  type NestModule,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Optional,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ServiceRegistrar } from './server/grpc-registrar.service.js';
import { twoCopiesOfNest } from './one-copy.js';
import { optionReader } from './options/option-reader.js';

/** Nearer than any module that Nest itself places (the root module has 1). */
const NEAREST = -1;
const ONCE = 'once in an application, in its root module; clients elsewhere come from forFeature';

/**
 * Imported by `DiscoveryModule`; not for users.
 *
 * @throws DiscoveryError `INVALID_OPTION` at start, where more than one `forRoot` is in the application
 */
@Module({})
export class DiscoveryLifecycleModule
  implements NestModule, OnApplicationBootstrap, OnModuleDestroy
{
  constructor(
    @Inject(ServiceRegistrar) private readonly registrar: ServiceRegistrar,
    @Optional() @Inject(ModulesContainer) modules: ModulesContainer | undefined,
  ) {
    if (modules === undefined) throw twoCopiesOfNest();
    const all = [...modules.values()];
    for (const module of all) {
      if (module.metatype !== DiscoveryLifecycleModule) continue;
      module.distance = NEAREST;
      // Only one registrar would get the bootstrap hook: the services of the others would never be
      // registered.
      const roots = all.filter(({ imports }) => imports.has(module)).length;
      if (roots > 1) optionReader.reject('forRoot', `imported ${roots} times`, ONCE);
    }
  }

  /**
   * Nest asks for middleware, and there is none: it does so in `init()`, before any hook of an HTTP
   * application.
   */
  configure(): void {
    this.registrar.onInitializing();
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.registrar.onBootstrapped();
  }

  async onModuleDestroy(): Promise<void> {
    await this.registrar.shutDown();
  }
}
