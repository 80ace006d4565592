/**
 * Calls the registrar from Nest's hooks in the order that this library needs. Nest calls bootstrap hooks from
 * the modules farthest from the root module to the nearest, and shutdown hooks the other way round; a global
 * module counts as farthest. A separate module that is nearer than the root module itself therefore gets the
 * bootstrap hook last and the shutdown hook first: the services are registered after everything is up, and
 * their records are removed before anything goes down.
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

/** A distance from the root below every distance that Nest itself assigns (the root module has 1). */
const NEAREST = -1;
const ONCE = 'once in an application, in its root module; clients elsewhere come from forFeature';

/**
 * Registers the services at the bootstrap and removes their records first at the shutdown. `DiscoveryModule`
 * imports this module; users do not.
 *
 * @throws DiscoveryError `INVALID_OPTION` at start if the application imports more than one `forRoot`
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
   * Adds no middleware. Nest calls this method in `init()`, before any hook of an HTTP application: it is the
   * first sign that the application has begun to initialize.
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
