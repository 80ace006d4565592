import 'reflect-metadata';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  DirectoryPool,
  DiscoveryModule,
  type DiscoveryModuleAsyncOptions,
  type DiscoveryModuleOptions,
  type DiscoveryOptionsFactory,
  EtcdRegistry,
  getGrpcClientToken,
  InjectGrpcClient,
  MemoryRegistry,
  Registry,
  ServiceRegistrar,
} from 'nestjs-grpc-discovery';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DISCOVERY_OPTIONS } from '../../../lib/nest/discovery.tokens.js';
import { ForceSignal } from '../../../lib/nest/shutdown/force-signal.js';
import { SnapshotFile } from '../../../lib/nest/snapshot/snapshot-file.js';
import { userProtoPath } from '../../support/user-apps.js';
import { ScriptedRegistry } from '../registry/scripted-registry.js';
import { rejection } from './options/rejection.js';

const CLIENT = { name: 'api', package: 'user', protoPath: userProtoPath };

type Import = NonNullable<Parameters<typeof Module>[0]['imports']>[number];

/** Starts an application that imports these modules, and closes it after the use. */
async function withApp(
  imports: readonly Import[],
  use: (get: <T>(token: unknown) => T) => unknown,
): Promise<void> {
  @Module({ imports: [...imports] })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, {
    logger: false,
    abortOnError: false,
  });
  try {
    await use((token) => app.get(token as never, { strict: false }));
  } finally {
    await app.close();
  }
}

const withOptions = (
  options: DiscoveryModuleOptions,
  use: (get: <T>(token: unknown) => T) => unknown,
): Promise<void> => withApp([DiscoveryModule.forRoot(options)], use);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'module-'));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** The services whose lists are in a snapshot file. */
function keptServices(file: string): string[] {
  const { services } = JSON.parse(readFileSync(file, 'utf8')) as { services: object };
  return Object.keys(services);
}

describe('the registry of an application', () => {
  it('is the one of the options', async () => {
    const registry = new MemoryRegistry();
    await withOptions({ registry }, (get) => expect(get(Registry)).toBe(registry));
  });

  it('is etcd if the options have none', async () => {
    await withOptions({ etcd: { hosts: ['127.0.0.1:1'] } }, (get) => {
      expect(get(Registry)).toBeInstanceOf(EtcdRegistry);
    });
  });

  it('is that of its directories, and is closed at the end of the shutdown', async () => {
    const registry = new MemoryRegistry();
    const closed = vi.spyOn(registry, 'close');
    await withOptions({ registry }, (get) => {
      expect(get<DirectoryPool>(DirectoryPool).registry).toBe(registry);
      expect(closed).not.toHaveBeenCalled();
    });
    expect(closed).toHaveBeenCalledTimes(1);
  });
});

describe('the snapshot file of an application', () => {
  it('is not used without the option', async () => {
    await withOptions({ registry: new MemoryRegistry() }, (get) => {
      expect(get(SnapshotFile)).toBeNull();
    });
  });

  it('gets the lists that its directories receive, at the end of the shutdown at the latest', async () => {
    const snapshotFile = join(folder, 'lists.json');
    const registry = new MemoryRegistry();
    registry.setEndpoints('api', ['127.0.0.1:1']);
    await withOptions({ registry, snapshotFile }, (get) => {
      expect(get<SnapshotFile>(SnapshotFile).file).toBe(snapshotFile);
      get<DirectoryPool>(DirectoryPool).acquire('api');
    });
    expect(keptServices(snapshotFile)).toEqual(['api']);
  });
});

it.each([
  ['by default', {}, ['h:1', 'h:2']],
  ['unless the guard is off', { removalGuard: false } as const, undefined],
])(
  'connected endpoints of a list that becomes empty stay in use %s',
  async (_, guard, expectedHeld) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const registry = new ScriptedRegistry();
    await withOptions({ registry, ...guard }, (get) => {
      const { directory } = get<DirectoryPool>(DirectoryPool).acquire('api');
      const channel = directory.connections.open();
      registry.reset('api', 'h:1', 'h:2');
      for (const address of ['h:1', 'h:2']) channel.report(address, true);
      vi.advanceTimersByTime(60_000);
      registry.reset('api');
      expect(directory.state.held).toEqual(expectedHeld);
      directory.stop();
    });
  },
);

describe('the clients of forRoot and forFeature', () => {
  it('are injected by their names, and are closed at the shutdown', async () => {
    const registry = new MemoryRegistry();
    let pool: DirectoryPool | undefined;
    const root = DiscoveryModule.forRoot({ registry, clients: [CLIENT] });
    const feature = DiscoveryModule.forFeature([{ ...CLIENT, name: 'billing' }]);
    await withApp([root, feature], (get) => {
      pool = get<DirectoryPool>(DirectoryPool);
      for (const name of ['api', 'billing']) {
        expect(get(getGrpcClientToken(name))).toHaveProperty('getService');
      }
      expect([...pool.directories.keys()].sort()).toEqual(['api', 'billing']);
    });
    expect(pool?.directories.size).toBe(0);
  });

  it('can be injected into a constructor by their decorator', async () => {
    @Injectable()
    class Caller {
      constructor(@InjectGrpcClient('api') readonly client: unknown) {}
    }
    @Module({ providers: [Caller] })
    class CallerModule {}
    const root = DiscoveryModule.forRoot({ registry: new MemoryRegistry(), clients: [CLIENT] });
    await withApp([root, CallerModule], (get) => {
      expect(get<Caller>(Caller).client).toBe(get(getGrpcClientToken('api')));
    });
  });

  it('of forRoot can be injected into every module of the application', () => {
    const root = DiscoveryModule.forRoot({ registry: new MemoryRegistry(), clients: [CLIENT] });
    expect(root.global).toBe(true);
    const tokens = root.exports?.map((one) =>
      typeof one === 'object' && 'provide' in one ? one.provide : one,
    );
    expect(tokens).toEqual(
      expect.arrayContaining([Registry, ServiceRegistrar, getGrpcClientToken('api')]),
    );
  });
});

const options = (): DiscoveryModuleOptions => ({ registry: new MemoryRegistry(), failFast: true });
const PREFIX = Symbol('PREFIX');

@Injectable()
class OptionsFactory implements DiscoveryOptionsFactory {
  createDiscoveryOptions(): DiscoveryModuleOptions {
    return options();
  }
}

@Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
class FactoryModule {}

@Module({ providers: [{ provide: PREFIX, useValue: 'a/' }], exports: [PREFIX] })
class PrefixModule {}

describe('forRootAsync', () => {
  it.each<[string, DiscoveryModuleAsyncOptions]>([
    ['a function', { useFactory: options }],
    ['a function that returns a promise', { useFactory: async () => options() }],
    ['a class', { useClass: OptionsFactory }],
    ['an existing provider', { imports: [FactoryModule], useExisting: OptionsFactory }],
  ])('takes and checks the options of %s', async (_, given) => {
    await withApp([DiscoveryModule.forRootAsync(given)], (get) => {
      expect(get(DISCOVERY_OPTIONS)).toMatchObject({ failFast: true, health: false });
      expect(get(ServiceRegistrar)).toBeDefined();
    });
  });

  it('calls the function with what the application injects', async () => {
    const heard: unknown[] = [];
    const useFactory = (...injected: unknown[]): DiscoveryModuleOptions => {
      heard.push(...injected);
      return options();
    };
    const given = { imports: [PrefixModule], inject: [PREFIX], useFactory };
    await withApp([DiscoveryModule.forRootAsync(given)], () => {
      expect(heard).toEqual(['a/']);
    });
  });

  it.each<[string, object, string]>([
    ['wrong options', { health: 'yes' }, 'option health is "yes"'],
    [
      'options with clients',
      { clients: [CLIENT] },
      'allowed: none; use DiscoveryModule.forFeature',
    ],
  ])('fails the start for %s', async (_, wrong, text) => {
    const useFactory = (): DiscoveryModuleOptions => ({ ...options(), ...wrong });
    const start = withApp([DiscoveryModule.forRootAsync({ useFactory })], () => {});
    await expect(start).rejects.toThrow(text);
  });

  it.each<[string, object, string]>([
    [
      'two of its ways',
      { useFactory: options, useExisting: OptionsFactory },
      'option forRootAsync is an array of 2; allowed: one of useFactory, useClass, useExisting',
    ],
    [
      'none of its ways',
      { imports: [] },
      'option forRootAsync is an object with imports; allowed: one of useFactory, useClass, useExisting',
    ],
  ])('is rejected with %s', (_, wrong, text) => {
    expect(rejection(() => DiscoveryModule.forRootAsync(wrong)).message).toContain(text);
  });
});

const hook = (): void => {};

it('a shutdown that a second signal forces says so in the log, once', async () => {
  const warnings: unknown[] = [];
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((text) => warnings.push(text));
  process.on('SIGTERM', hook);
  await withOptions({ registry: new MemoryRegistry() }, async (get) => {
    const force = get<ForceSignal>(ForceSignal);
    // No shutdown has begun that the signal could be an echo of.
    await force.during(Promise.resolve().then(() => process.emit('SIGTERM', 'SIGTERM')));
    expect(force.signal.aborted).toBe(true);
  });
  process.off('SIGTERM', hook);
  expect(warnings).toEqual([
    'SIGTERM while shutting down: the shutdown no longer waits, and ends the calls under way now.',
  ]);
});
