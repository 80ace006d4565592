/**
 * A hybrid application that starts its microservices without initializing gets a warning which says what to
 * call, unless the initialization has begun.
 */
import { Global, type INestApplication, Logger, Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MemoryRegistry } from 'nestjs-grpc-discovery';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { grpcOptions, userModule } from '../support/user-apps.js';

let registry: MemoryRegistry;
let app: INestApplication;
let warnings: string[];
/** Ends the initialization of the slow module. */
let initialized: () => void;
/** Resolves when the initialization of the slow module begins. */
let isInitializing: Promise<void>;

beforeEach(async () => {
  registry = new MemoryRegistry();
  const initializing = new Promise<void>((resolve) => {
    initialized = resolve;
  });
  let begin: () => void;
  isInitializing = new Promise<void>((resolve) => {
    begin = resolve;
  });
  @Global()
  @Module({})
  class SlowModule implements OnModuleInit {
    onModuleInit(): Promise<void> {
      begin();
      return initializing;
    }
  }
  // The slow module comes before the discovery: even its first hook runs too late to show that the
  // application initializes.
  @Module({
    imports: [SlowModule, userModule({ discovery: { registry, service: { name: 'api' } } })],
  })
  class HybridModule {}
  warnings = [];
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((text) => warnings.push(String(text)));
  app = await NestFactory.create(HybridModule, { logger: false });
  app.connectMicroservice(grpcOptions());
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await app.startAllMicroservices();
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await app.close();
});

it('a hybrid application without init() or listen() is not registered, and after 5 s a warning says what to call', async () => {
  vi.advanceTimersByTime(5_000);
  expect(warnings).toEqual([
    expect.stringContaining('Call "await app.init()" or "await app.listen(port)"'),
  ]);
  expect(registry.endpoints('api')).toEqual([]);
  vi.useRealTimers();
  initialized();
  await app.init();
  expect(registry.endpoints('api')).toHaveLength(1);
});

it('a hybrid application with a module that takes long to initialize gets no warning', async () => {
  const start = app.init();
  await isInitializing;
  vi.advanceTimersByTime(600_000);
  expect(warnings).toEqual([]);
  vi.useRealTimers();
  initialized();
  await start;
  expect(registry.endpoints('api')).toHaveLength(1);
});
