/**
 * Costs of a large fleet: pick, update, burst, first call, memory, replacements; `full`: all sizes.
 *
 * Every endpoint is a port of one server process, and every connection is real. grpc-js's round_robin gets
 * its lists from a resolver that costs nothing; our lists come the whole way from a registry. Blocked time is
 * the event loop's active time after a change. Words after the name choose parts: `pick`, `update`, `burst`,
 * `first`, `memory`, `replace`.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { credentials, Metadata } from '@grpc/grpc-js';
import { withChannelDiscovery } from '../lib/grpc/resolver/channel-discovery.js';
import { createBalancerSettings, type LoadBalancingPolicy } from '../lib/grpc/balancer/policies.js';
import { installResolver } from '../lib/grpc/resolver/resolver-table.js';
import { createServiceConfig } from '../lib/grpc/service-config/service-config.js';
import { MemoryRegistry } from '../lib/registry/memory-registry.js';
import { DirectoryPool } from '../lib/registry/directory/directory-pool.js';
import { systemClock } from '../lib/registry/system-clock.js';
import { goAvailable, startGo } from '../test/interop/go-program.js';
import { EventProcess, stopEventProcesses } from '../test/support/event-process.js';
import {
  type BalancedClient,
  bareClient,
  Place,
  ROUND_ROBIN,
  startServer,
  timed,
  user,
} from './support/balanced-fleet.js';
import { setBareList } from './support/bare-resolver.js';
import { type BenchResult, type BenchRow, benchRow } from './support/bench-result.js';
import { barChart, writeChart } from './support/chart.js';
import { median } from './support/statistics.js';

const GRPC_JS = 'grpc-js round_robin';
/** The number of calls after which a client counts as in use. */
const IN_USE = 3_000;
const updateCosts = new Map<string, number>();

/** @param parameters `full`, names of parts */
export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const full = parameters.includes('full');
  const words = parameters.filter((parameter) => parameter !== 'full');
  const wants = (part: string): boolean => words.length === 0 || words.includes(part);
  const sizes = full ? [10, 1_000, 5_000] : [10, 1_000];
  const largest = full ? 5_000 : 1_000;
  const place = await Place.open();
  const rows: BenchRow[] = [];
  const notes: string[] = [];
  try {
    const { addresses } = await startServer('fleet', largest + 1_000);
    for (const size of sizes) {
      if (wants('pick') || wants('update')) {
        rows.push(...(await measureSize(addresses, size, wants('pick'), wants('update'))));
      }
    }
    if (wants('burst')) rows.push(await burst(addresses, full ? 999 : 200));
    if (wants('first')) rows.push(...(await firstCall(place, addresses.slice(0, largest))));
    if (wants('memory')) rows.push(...(await memory(place, addresses.slice(0, largest))));
    if (wants('replace')) notes.push(...(await replacements(addresses, full ? 10_000 : 2_000)));
    if (updateCosts.size > 0) {
      const bars = [...updateCosts].map(([label, value]) => ({ label, value }));
      writeChart(
        'update-cost',
        barChart('One endpoint added: event loop blocked (logarithmic)', bars, ' ms', true),
      );
    }
    return { bench: 'balancer-fleet', node: process.version, etcd: place.etcd.kind, rows, notes };
  } finally {
    await stopEventProcesses();
    await place.close();
  }
}

/** Makes a client of ours on a registry in memory, which passes lists on at once. */
function ours(
  registry: MemoryRegistry,
  policy: LoadBalancingPolicy,
  debounceMs?: number,
): BalancedClient {
  installResolver('memory');
  const pool = new DirectoryPool(registry, {
    clock: systemClock,
    ...(debounceMs === undefined ? {} : { debounceMs }),
  });
  const traits = { clientId: 'bench', subsetSize: undefined, zone: undefined };
  const serviceConfig = createServiceConfig(createBalancerSettings({ policy }, traits));
  const options = withChannelDiscovery({}, { pool, serviceConfig });
  return timed(new user.User('memory:///api', credentials.createInsecure(), options));
}

const bare = (): BalancedClient => bareClient('bench:///x', { 'grpc.service_config': ROUND_ROBIN });

/** Makes calls until all endpoints are connected. */
async function connectAll(client: BalancedClient, size: number): Promise<void> {
  await client.call({ timeoutMs: 60_000 });
  for (let round = 0; round < 3; round++) {
    for (let left = size; left > 0; left -= 100) {
      await Promise.all(
        Array.from({ length: Math.min(100, left) }, () => client.call({ timeoutMs: 60_000 })),
      );
    }
  }
}

interface PickerChannel {
  readonly internalChannel: {
    readonly currentPicker: { pick(args: { metadata: Metadata; extraPickInfo: object }): unknown };
  };
}

/** Keeps the results of picks: the compiler would not make a result that nothing uses. Real calls use it. */
const taken: unknown[] = Array.from({ length: 1_024 }, () => undefined);

/** Nanoseconds per pick, the best of several runs, because disturbances only add time. */
function pickNanos({ channel }: BalancedClient): number {
  const { currentPicker } = (channel as unknown as PickerChannel).internalChannel;
  const metadata = new Metadata();
  let best = Infinity;
  for (let round = 0; round < 20; round++) {
    const started = process.hrtime.bigint();
    for (let pick = 0; pick < 20_000; pick++) {
      taken[pick % taken.length] = currentPicker.pick({ metadata, extraPickInfo: {} });
    }
    best = Math.min(best, Number(process.hrtime.bigint() - started) / 20_000);
  }
  return best;
}

/** Waits until this process has nothing to do, so that the connections that calls asked for are made. */
async function calm(): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const before = performance.eventLoopUtilization();
    await pause(300);
    if (performance.eventLoopUtilization(before).active < 3) return;
  }
}

/** How long the event loop is busy because of a change, in milliseconds. */
async function blockedBy(change: () => void): Promise<number> {
  await calm();
  const before = performance.eventLoopUtilization();
  change();
  await pause(400);
  return performance.eventLoopUtilization(before).active;
}

async function measureSize(
  all: readonly string[],
  size: number,
  picks: boolean,
  updates: boolean,
): Promise<BenchRow[]> {
  const list = all.slice(0, size);
  const rows: BenchRow[] = [];
  setBareList(list);
  const reference = bare();
  await connectAll(reference, size);
  const referencePick = pickNanos(reference);
  const referenceAdds: number[] = [];
  for (let add = 1; add <= (updates ? 3 : 0); add++) {
    referenceAdds.push(await blockedBy(() => setBareList(all.slice(0, size + add))));
  }
  await reference.close();
  for (const policy of ['round_robin', 'peak_ewma'] as const) {
    const registry = new MemoryRegistry();
    registry.setEndpoints('api', list);
    const client = ours(registry, policy);
    await connectAll(client, size);
    if (picks) {
      rows.push(
        benchRow({
          name: `pick, ${size} endpoints, ${policy}`,
          unit: 'ns',
          ours: pickNanos(client),
          reference: referencePick,
          referenceName: GRPC_JS,
        }),
      );
    }
    const adds: number[] = [];
    for (let add = 1; add <= (updates ? 3 : 0); add++) {
      adds.push(await blockedBy(() => registry.setEndpoints('api', all.slice(0, size + add))));
    }
    if (updates) {
      const row = benchRow({
        name: `one added to ${size}: blocked, ${policy}`,
        unit: 'ms',
        ours: median(adds),
        reference: median(referenceAdds),
        referenceName: GRPC_JS,
      });
      rows.push(row);
      updateCosts.set(`${policy}, ${size}`, row.ours);
      updateCosts.set(`${GRPC_JS}, ${size}`, row.reference);
    }
    await client.close();
  }
  return rows;
}

/** Adds endpoints one by one; the channel gets each list before the next is made. */
async function burst(all: readonly string[], count: number): Promise<BenchRow> {
  const measure = async (client: BalancedClient, set: (size: number) => void): Promise<number> => {
    await client.call();
    const before = performance.eventLoopUtilization();
    for (let size = 2; size <= count + 1; size++) {
      set(size);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await pause(500);
    const { active } = performance.eventLoopUtilization(before);
    await client.close();
    return active;
  };
  setBareList(all.slice(0, 1));
  const reference = await measure(bare(), (size) => setBareList(all.slice(0, size)));
  const registry = new MemoryRegistry();
  registry.setEndpoints('api', all.slice(0, 1));
  const mine = await measure(ours(registry, 'round_robin'), (size) =>
    registry.setEndpoints('api', all.slice(0, size)),
  );
  return benchRow({
    name: `burst of ${count} single adds: blocked`,
    unit: 'ms',
    ours: mine,
    reference,
    referenceName: GRPC_JS,
  });
}

/** What a client in a process of its own reports about itself. */
async function freshClient(
  host: string,
  service: string,
  kind: string,
  calls = 1,
): Promise<{ megabytes: number; firstCallMs: number }> {
  const entry = fileURLToPath(new URL('./support/memory-client.js', import.meta.url));
  const parameters = [entry, host, service, kind, String(calls)];
  const child = new EventProcess(process.execPath, parameters, { name: kind });
  const { megabytes, firstCallMs } = await child.waitForEvent('settled', { timeoutMs: 120_000 });
  await child.stop();
  return { megabytes: Number(megabytes), firstCallMs: Number(firstCallMs) };
}

/** Time from making a client to its first answer; each client has a process of its own. */
async function firstCall(place: Place, addresses: readonly string[]): Promise<BenchRow[]> {
  await place.list('first', addresses);
  const host = place.etcd.hosts[0] ?? '';
  const measure = async (kind: string): Promise<number> =>
    (await freshClient(host, 'first', kind)).firstCallMs;
  const mine: number[] = [];
  for (let round = 0; round < 5; round++) mine.push(await measure('ours'));
  const name = `first call, ${addresses.length} endpoints in etcd`;
  const row = { name, unit: 'ms', ours: median(mine) };
  const reference = await measure('round_robin');
  const rows = [benchRow({ ...row, reference, referenceName: GRPC_JS })];
  if (goAvailable()) {
    // Go's time includes the start of its process, some 10 ms.
    const started = performance.now();
    const go = await startGo('client', host, 'first', { calls: 1 });
    await go.waitForEvent('done');
    const elapsed = performance.now() - started;
    rows.push(benchRow({ ...row, reference: elapsed, referenceName: 'Go round_robin' }));
  }
  return rows;
}

async function memory(place: Place, addresses: readonly string[]): Promise<BenchRow[]> {
  await place.list('large', addresses);
  await place.list('small', addresses.slice(0, 32));
  const host = place.etcd.hosts[0] ?? '';
  const rss = async (service: string, kind: string, calls = 1): Promise<number> =>
    (await freshClient(host, service, kind, calls)).megabytes;
  const [mine, subset, small, reference] = [
    await rss('large', 'ours'),
    // This client has made calls, because the memory of a process still grows until the first collection of
    // its heap's young generation.
    await rss('large', 'subset', IN_USE),
    await rss('small', 'ours', IN_USE),
    await rss('large', 'round_robin'),
  ];
  const name = `memory, ${addresses.length} endpoints`;
  const rows = [
    benchRow({ name, unit: 'MB', ours: mine, reference, referenceName: GRPC_JS }),
    benchRow({
      name: `${name}, subsetSize 32, after ${IN_USE} calls`,
      unit: 'MB',
      ours: subset,
      reference: small,
      referenceName: 'ours, 32 endpoints',
    }),
  ];
  if (goAvailable()) {
    const go = await startGo('load', host, 'large', { rate: 10, 'duration-ms': 60_000 });
    await go.waitForEvent('seen');
    await pause(5_000);
    const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${go.pid}/status`, 'utf8'));
    await go.stop();
    rows.push(
      benchRow({
        name,
        unit: 'MB',
        ours: mine,
        reference: Number(line?.[1]) / 1_024,
        referenceName: 'Go round_robin',
      }),
    );
  }
  return rows;
}

/** How many sockets this process has open; `NaN` where there is no `/proc`. */
function openSockets(): number {
  if (!existsSync('/proc/self/fd')) return NaN;
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link.startsWith('socket:')).length;
}

/** Collects all garbage, so that the heap holds only what is still in use. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Replaces one endpoint at a time, under calls, and notes heap and sockets that remain. */
async function replacements(all: readonly string[], count: number): Promise<string[]> {
  const registry = new MemoryRegistry();
  const window = (step: number): string[] =>
    Array.from({ length: 10 }, (_, at) => all[(step + at) % all.length] ?? '');
  registry.setEndpoints('api', window(0));
  const client = ours(registry, 'peak_ewma', 0);
  let failed = 0;
  const notes: string[] = [];
  for (let step = 1; step <= count; step++) {
    registry.setEndpoints('api', window(step));
    const calls = Array.from({ length: 4 }, () => client.call({ timeoutMs: 5_000 }));
    for (const { status } of await Promise.allSettled(calls)) if (status === 'rejected') failed++;
    if (step % (count / 5) !== 0) continue;
    // grpc-js drops unused connections every ten seconds.
    await pause(11_000);
    collectGarbage();
    const heap = process.memoryUsage().heapUsed / 1_048_576;
    const sockets = openSockets();
    notes.push(
      `after ${step} replacements: heap ${heap.toFixed(1)} MB, ${sockets} sockets, ${failed} of ${step * 4} calls failed`,
    );
  }
  await client.close();
  return notes;
}
