/**
 * Many applications in one process, and many servers in one application: Node reports no leak, and there is
 * none.
 */
import { getEventListeners } from 'node:events';
import { MemoryRegistry } from 'nestjs-grpc-discovery';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ForceSignal } from '../../lib/nest/shutdown/force-signal.js';
import { createHybrid, grpcOptions, startUserServer } from '../support/user-apps.js';

const MANY = 25;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const warnings: Error[] = [];
const onWarning = (warning: Error): number => warnings.push(warning);
const listeners = (): number[] => SIGNALS.map((signal) => process.listenerCount(signal));
const registry = new MemoryRegistry();
const discovery = { registry, service: { name: 'api', drainDelayMs: 0 } };

beforeEach(() => {
  process.on('warning', onWarning);
});
afterEach(() => {
  process.off('warning', onWarning);
});

it('25 applications start and shut down together without a warning, and leave no listener', async () => {
  const before = listeners();
  const limit = process.getMaxListeners();
  const apps = await Promise.all(
    Array.from({ length: MANY }, () => startUserServer({ discovery: { ...discovery } })),
  );
  let most = 0;
  const onListener = (name: string | symbol): void => {
    // The event comes before the listener is added.
    if (name === 'SIGTERM') most = Math.max(most, process.listenerCount('SIGTERM') + 1);
  };
  process.on('newListener', onListener);
  await Promise.all(apps.map((app) => app.close()));
  process.off('newListener', onListener);
  await warned();
  expect(most).toBe((before[0] ?? 0) + 1);
  expect(warnings).toEqual([]);
  expect(listeners()).toEqual(before);
  expect(process.getMaxListeners()).toBe(limit);
});

it('25 servers of one application shut down together without a warning, and leave no listener', async () => {
  const app = await createHybrid({ discovery });
  for (let server = 0; server < MANY; server++) app.connectMicroservice(grpcOptions());
  await app.startAllMicroservices();
  await app.init();
  const { signal } = app.get(ForceSignal, { strict: false });
  await app.close();
  await warned();
  expect(warnings).toEqual([]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

/** Waits until Node has reported its warnings, which it does in a later turn of the event loop. */
function warned(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
