import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryRegistry } from 'nestjs-grpc-discovery';
import { validateOptions } from '../../../../lib/nest/options/validate-options.js';
import type { ReadinessCheck } from '../../../../lib/nest/readiness-gate.js';
import { ApplicationReadiness } from '../../../../lib/nest/server/application-readiness.service.js';
import { HealthServing } from '../../../../lib/nest/server/health-serving.js';

let isReady: boolean;
let logged: string[];
let heard: boolean[];

beforeEach(() => {
  vi.useFakeTimers();
  isReady = true;
  logged = [];
  heard = [];
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((text) => logged.push(String(text)));
  vi.spyOn(Logger.prototype, 'log').mockImplementation((text) => logged.push(String(text)));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function create(given?: ReadinessCheck, health = false): ApplicationReadiness {
  const readiness = given === undefined ? {} : { readiness: { check: given } };
  const options = validateOptions({ registry: new MemoryRegistry(), health, ...readiness }, {});
  const application = new ApplicationReadiness(options);
  application.onChange(() => heard.push(application.isReady));
  return application;
}

type HealthCallback = (error: null, reply: object) => void;

/**
 * Adds a health service of the application's own to a server; it answers as `isReady` says, once `until`
 * resolves.
 *
 * @returns the methods of the server
 */
function serveHealth(
  application: ApplicationReadiness,
  until?: () => Promise<void>,
): readonly string[] {
  const paths: string[] = [];
  const register = (path: string): boolean => paths.push(path) > 0;
  const answerHealth = async (_call: unknown, callback: HealthCallback): Promise<void> => {
    await until?.();
    callback(null, { status: isReady ? 'SERVING' : 'NOT_SERVING' });
  };
  const addService = (definition: Record<string, { path: string }>): void => {
    for (const { path } of Object.values(definition)) server.register(path);
  };
  const server = { register, addService };
  application.observe(server as never);
  const add = server.register as unknown as (path: string, handler: unknown) => void;
  add('/grpc.health.v1.Health/Check', answerHealth);
  return paths;
}

/** A promise and the function that resolves it. */
function openPromise(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: (() => void) | undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve: () => resolve?.() };
}

it('an application without a check and without a health service is ready from the start', async () => {
  const application = create();
  expect(application.isReady).toBe(true);
  await application.start();
  expect([application.isReady, heard, logged]).toEqual([true, [], []]);
});

it('an application with a readiness check is ready once the check has passed', async () => {
  const application = create(() => isReady);
  expect([application.isReady, application.reason]).toEqual([false, 'it was not asked yet']);
  await application.start();
  expect([application.isReady, heard]).toEqual([true, []]);
});

it('each change of readiness is reported and logged once', async () => {
  const application = create(() => isReady);
  await application.start();
  isReady = false;
  await vi.advanceTimersByTimeAsync(3_000);
  isReady = true;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(heard).toEqual([false, true]);
  expect(logged).toEqual([
    'Not ready to serve (the check says so); the records are removed until the application is ready.',
    'Ready to serve.',
  ]);
  application.end();
});

it('an application is ready only if all of its gates are open', async () => {
  const application = create(() => true);
  serveHealth(application);
  isReady = false;
  await application.start();
  expect([application.isReady, application.reason]).toEqual([false, 'the check says so']);
  isReady = true;
  await vi.advanceTimersByTimeAsync(1_000);
  expect([application.isReady, heard]).toEqual([true, [true]]);
  application.end();
});

it('a health service that is added later makes the application not ready until it has answered', async () => {
  const application = create();
  await application.start();
  isReady = false;
  serveHealth(application);
  await application.start();
  expect([application.isReady, heard]).toEqual([false, [false]]);
  isReady = true;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(heard).toEqual([false, true]);
  application.end();
});

it('an application that ends while a check runs does not report its answer', async () => {
  const application = create(() => isReady);
  await application.start();
  isReady = false;
  const next = vi.advanceTimersByTimeAsync(1_000);
  application.end();
  await next;
  expect([application.isReady, heard, logged]).toEqual([false, [], []]);
});

it('a change before the start is not reported: the start takes it into account', async () => {
  const application = create(() => isReady);
  serveHealth(application);
  const { promise, resolve } = openPromise();
  serveHealth(application, () => promise);
  const start = application.start();
  await vi.advanceTimersByTimeAsync(2_000);
  expect([application.isReady, heard]).toEqual([false, []]);
  resolve();
  await start;
  expect([application.isReady, heard]).toEqual([true, []]);
  application.end();
});

describe('an application with the option health', () => {
  it('publishes its readiness from the start to the end, at every server', async () => {
    const set = vi.spyOn(HealthServing.prototype, 'set');
    const application = create(() => isReady, true);
    await application.prepare();
    await application.start();
    isReady = false;
    await vi.advanceTimersByTimeAsync(1_000);
    isReady = true;
    await vi.advanceTimersByTimeAsync(1_000);
    application.end();
    expect(set.mock.calls).toEqual([[true], [false], [true], [false]]);
  });

  it('publishes no start after its end', async () => {
    const set = vi.spyOn(HealthServing.prototype, 'set');
    const application = create(() => isReady, true);
    application.end();
    await application.start();
    expect(set.mock.calls).toEqual([[false]]);
  });

  it('loads the package of the health service when its module is made, and before a server is made', async () => {
    const load = vi.spyOn(HealthServing.prototype, 'load').mockRejectedValue(new Error('missing'));
    const application = create(undefined, true);
    await expect(application.onModuleInit()).rejects.toThrow('missing');
    await expect(application.prepare()).rejects.toThrow('missing');
    expect(load).toHaveBeenCalledTimes(2);
    await expect(create().onModuleInit()).resolves.toBeUndefined();
  });

  it('adds its health service to a server, and fails if the application serves one itself', async () => {
    const application = create(undefined, true);
    await application.prepare();
    const paths = serveHealth(application);
    expect(paths).toContain('/grpc.health.v1.Health/Watch');
    expect(() => application.checkServices()).toThrow('[INVALID_OPTION] option health is true');
    expect(() => create().checkServices()).not.toThrow();
  });
});

it('an application that ends is never ready again, and runs no further check', async () => {
  const application = create(() => isReady);
  await application.start();
  application.end();
  expect([application.isReady, application.reason]).toEqual([false, 'it is shutting down']);
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([heard, logged]).toEqual([[], []]);
});
