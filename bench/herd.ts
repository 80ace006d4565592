/**
 * 500 registrations that lose etcd for 10 s: connections they try meanwhile, second by second, and when each is back.
 *
 * `npm run bench -- herd [COUNT]`. Row 13 of the fault matrix: every registration has a registry, a lease and connections of its own,
 * as 500 processes would.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { filter, firstValueFrom } from 'rxjs';
import { EtcdRegistry } from '../lib/index.js';
import { EtcdProcess } from '../test/support/etcd-process.js';
import { FaultProxy } from '../test/support/fault-proxy.js';
import type { BenchResult, BenchRow } from './support/bench-result.js';

const AWAY_SECONDS = 10;
/** etcd3's own lease, measured with 500 leases and the same outage. */
const ETCD3_CONNECTIONS = 50_099;

export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const count = Number(parameters[0] ?? 500);
  const etcd = await EtcdProcess.start();
  const proxy = await FaultProxy.start({ targetPort: etcd.port });
  const hosts = [`http://127.0.0.1:${proxy.port}`];
  const herd = Array.from({ length: count }, () => new EtcdRegistry({ hosts }));
  try {
    const registrations = herd.map((registry, index) =>
      registry.register({
        service: 'herd',
        endpoint: { address: `10.0.${index >> 8}.${index & 255}:1`, metadata: null },
        ttlSeconds: 10,
      }),
    );
    const registered = registrations.map(({ status$ }) => status$.pipe(filter(isRegistered)));
    await Promise.all(registered.map((each) => firstValueFrom(each)));
    await etcd.kill();
    proxy.disconnect();
    const perSecond: number[] = [];
    for (let second = 0; second < AWAY_SECONDS; second++) {
      const before = proxy.accepted;
      await delay(1_000);
      perSecond.push(proxy.accepted - before);
    }
    await etcd.launch();
    const started = performance.now();
    const back = await Promise.all(
      registered.map(async (each) => {
        await firstValueFrom(each);
        return performance.now() - started;
      }),
    );
    const total = perSecond.reduce((sum, each) => sum + each, 0);
    return {
      bench: 'herd',
      node: process.version,
      etcd: `etcd ${etcd.binary.version}`,
      rows: [
        row(
          `${count} registrations, ${AWAY_SECONDS} s away: connections tried`,
          'connections',
          total,
          (ETCD3_CONNECTIONS * count) / 500,
          "etcd3's own lease",
        ),
        row('all back', 's', Math.max(...back) / 1_000, 5, 'the bound'),
      ],
      notes: [
        'connections tried, by second of the outage:',
        ...histogram(perSecond.map((each, second) => [`${second}–${second + 1} s`, each])),
        'registrations back, by time since etcd is back:',
        ...histogram(buckets(back)),
      ],
    };
  } finally {
    await Promise.all(herd.map((registry) => registry.close()));
    await proxy.stop();
    await etcd.stop();
  }
}

function isRegistered({ state }: { readonly state: string }): boolean {
  return state === 'registered';
}

function row(
  name: string,
  unit: string,
  ours: number,
  reference: number,
  referenceName: string,
): BenchRow {
  return { name, unit, ours, reference, referenceName, ratio: ours / reference };
}

/** How many values lie in each quarter of a second. */
function buckets(milliseconds: readonly number[]): [string, number][] {
  const last = Math.floor(Math.max(...milliseconds) / 250);
  return Array.from({ length: last + 1 }, (_, index) => [
    `${index * 250}–${(index + 1) * 250} ms`,
    milliseconds.filter((each) => Math.floor(each / 250) === index).length,
  ]);
}

function histogram(bars: readonly (readonly [string, number])[]): string[] {
  const most = Math.max(1, ...bars.map(([, value]) => value));
  return bars.map(
    ([name, value]) =>
      `  ${name.padStart(14)} ${'█'.repeat(Math.round((value / most) * 40))} ${value}`,
  );
}
