import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MemoryRegistry } from 'nestjs-grpc-discovery';
import { validateOptions } from '../../../../lib/nest/options/validate-options.js';
import type { ReadinessCheck } from '../../../../lib/nest/readiness-gate.js';
import { ApplicationReadiness } from '../../../../lib/nest/server/application-readiness.service.js';

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

function create(given?: ReadinessCheck): ApplicationReadiness {
  const readiness = given === undefined ? {} : { readiness: { check: given } };
  const options = validateOptions({ registry: new MemoryRegistry(), ...readiness }, {});
  const application = new ApplicationReadiness(options);
  application.onChange(() => heard.push(application.isReady));
  return application;
}

function answerHealth(_call: unknown, callback: (error: null, reply: object) => void): void {
  callback(null, { status: isReady ? 'SERVING' : 'NOT_SERVING' });
}

/** Adds a health service of the application's own to a server; it answers as `isReady` says. */
function serveHealth(application: ApplicationReadiness): void {
  const server = { register: () => true };
  application.observe(server as never);
  const register = server.register as unknown as (path: string, handler: unknown) => void;
  register('/grpc.health.v1.Health/Check', answerHealth);
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

it('an application that ends is never ready again, and runs no further check', async () => {
  const application = create(() => isReady);
  await application.start();
  application.end();
  expect([application.isReady, application.reason]).toEqual([false, 'it is shutting down']);
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([heard, logged]).toEqual([[], []]);
});
