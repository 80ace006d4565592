/**
 * Registrations that lose etcd for 10 s, registries on a slow etcd: requests meanwhile, and time to recover.
 *
 * `npm run bench -- herd [COUNT [REGISTRIES]]`, by default 500 and 40. Row 13 of the fault matrix. Each of
 * COUNT registrations has a registry, a lease and connections of its own, like as many processes. Each of
 * REGISTRIES has a record and follows 10 services of an etcd that is stopped for 96 of every 100 ms for 60 s;
 * after 10 s all connections are cut once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { filter, firstValueFrom } from 'rxjs';
import { EtcdRegistry } from '../lib/index.js';
import { EtcdProcess } from '../test/support/etcd-process.js';
import { FaultProxy } from '../test/support/fault-proxy.js';
import { slowDown, SlowedHerd } from '../test/support/slowed-herd.js';
import type { BenchResult, BenchRow } from './support/bench-result.js';

const AWAY_SECONDS = 10;
/** Connections that etcd3's own lease tried, measured with 500 leases and the same outage. */
const ETCD3_CONNECTIONS = 50_099;

const SERVICES = 10;
const SLOW_SECONDS = 60;
const CUT_AFTER_SECONDS = 10;
/** How long the slowed etcd runs in every 100 ms, in milliseconds. */
const RUN_MS = 4;
/** How long all records must stay in place to count as back, in milliseconds. */
const STEADY_MS = 10_000;
/**
 * How long the bench waits for all records, at the start and after the slowing, in milliseconds; then it
 * fails.
 */
const LIMIT_MS = 120_000;

export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const [count = 500, registries = 40] = parameters.map(Number);
  const lost = await registrationsThatLoseEtcd(count);
  return { ...lost, rows: [...lost.rows, ...(await registriesOnSlowEtcd(registries))] };
}

async function registrationsThatLoseEtcd(count: number): Promise<BenchResult> {
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

/**
 * Measures when all records are back for good after the slowing, and how often each list was read until then.
 */
async function registriesOnSlowEtcd(registries: number): Promise<BenchRow[]> {
  const etcd = await EtcdProcess.start();
  const proxy = await FaultProxy.start({ targetPort: etcd.port });
  const hosts = [`http://127.0.0.1:${proxy.port}`];
  const herd = new SlowedHerd({ hosts, registries, services: SERVICES });
  try {
    await herd.untilWhole(LIMIT_MS);
    await slowDown(etcd, RUN_MS, CUT_AFTER_SECONDS * 1_000);
    const beforeCut = herd.lists;
    proxy.disconnect();
    await slowDown(etcd, RUN_MS, (SLOW_SECONDS - CUT_AFTER_SECONDS) * 1_000);
    const beforeEnd = herd.lists;
    const ended = performance.now();
    let [wholeAt, lists] = [Infinity, 0];
    do {
      if (performance.now() - ended > LIMIT_MS)
        throw new Error('all were in place, and never for long');
      await herd.untilWhole(LIMIT_MS);
      [wholeAt, lists] = [herd.wholeSince ?? Infinity, herd.lists];
      await delay(STEADY_MS);
    } while (herd.wholeSince !== wholeAt);
    const name = `${registries} registries x ${SERVICES} services, etcd stopped ${100 - RUN_MS} of every 100 ms`;
    const perWatch = (count: number): number => count / herd.watches;
    return [
      row(
        `${name}: all back after its end`,
        's',
        Math.max(0, wholeAt - ended) / 1_000,
        30,
        'the bound',
      ),
      row(
        'lists per watch since the cut, until its end',
        'lists',
        perWatch(beforeEnd - beforeCut),
        10,
        'the bound',
      ),
      row('lists per watch since its end', 'lists', perWatch(lists - beforeEnd), 2.5, 'the bound'),
    ];
  } finally {
    await herd.close();
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
