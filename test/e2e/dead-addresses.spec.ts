/**
 * A process that has closed its applications ends even if it was connecting to addresses that never answer:
 * endpoints or etcd.
 */
import { MemoryRegistry } from 'nestjs-grpc-discovery';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileApps, startApp } from '../support/child-app.js';
import { type DeadAddress, startBlackHole, startSilence } from '../support/dead-address.js';
import { stopEventProcesses } from '../support/event-process.js';
import { startUserServer } from '../support/user-apps.js';

/**
 * How long a process may take to end after it has closed its applications, in milliseconds; without an abort,
 * the system's own limit for connecting is 127,000.
 */
const END_MS = 20_000;
/**
 * How long a process may take until it has closed its applications, and a test as a whole, in milliseconds: a
 * slow machine takes ten times as long as ours.
 */
const CLOSED_MS = 60_000;
const TEST_MS = 90_000;

let hole: DeadAddress;
let silence: DeadAddress;
const closers: (() => Promise<unknown>)[] = [];
let live = '';

beforeAll(async () => {
  await compileApps();
  hole = await startBlackHole();
  silence = await startSilence();
  closers.push(hole.stop, silence.stop);
  const registry = new MemoryRegistry();
  const discovery = { registry, service: { name: 'api', drainDelayMs: 0 } };
  const server = await startUserServer({ id: 'live', discovery });
  closers.push(() => server.close());
  live = registry.endpoints('api')[0]?.address ?? '';
}, 120_000);
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
  await stopEventProcesses();
});

it(
  'an application that ends aborts its attempts to connect to endpoints, with TLS and without',
  async () => {
    const dead = [hole.address, silence.address];
    await endsByItself(
      [
        { endpoints: [live, ...dead] },
        { endpoints: [hole.address], isSecure: true },
        { endpoints: [silence.address], isSecure: true },
        { endpoints: [silence.address] },
      ],
      ['live', undefined, undefined, undefined],
    );
  },
  TEST_MS,
);

it(
  'an application that ends aborts its attempts to connect to etcd, with TLS and without',
  async () => {
    const clients = [hole.address, silence.address].flatMap((address) => [
      { etcd: `http://${address}` },
      { etcd: `https://${address}` },
    ]);
    await endsByItself(
      clients,
      clients.map(() => undefined),
    );
  },
  TEST_MS,
);

async function endsByItself(
  clients: readonly object[],
  servers: readonly (string | undefined)[],
): Promise<void> {
  const app = await startApp('closing-clients', { CLIENTS: JSON.stringify(clients) });
  await app.waitForEvent('closed', { timeoutMs: CLOSED_MS });
  const called = app.events.filter(({ event }) => event === 'called');
  expect(called.map(({ server }) => server).toSorted()).toEqual(servers.toSorted());
  await app.waitForEvent('ended', { timeoutMs: END_MS });
  expect(await app.exit).toEqual({ code: 0, signal: null });
}
