/**
 * Slow, frozen and failing servers: our policies, grpc-js's round_robin and Go's policies; `full`: long runs.
 *
 * Servers are processes; the clients take turns. Words after the name choose scenarios: `slow`, `frozen`,
 * `eleven`, `failing`.
 */
import { goAvailable, goVersion, startGo } from '../test/interop/go-program.js';
import { stopEventProcesses } from '../test/support/event-process.js';
import {
  type BalancedClient,
  behave,
  type BehavingServer,
  Place,
  startServer,
} from './support/balanced-fleet.js';
import { type BenchResult, type BenchRow, benchRow } from './support/bench-result.js';
import { barChart, writeChart } from './support/chart.js';
import { Load, type LoadResult, warmUp } from './support/load.js';

/** Our policies that are measured in every scenario. */
const OURS = ['round_robin', 'least_request', 'peak_ewma'] as const;
/**
 * Our policies that are measured only with one slow server: their results in the other scenarios follow from
 * that one.
 */
const OTHERS = ['weighted_round_robin', 'random', 'consistent_hash', 'pick_first'] as const;
const GO = { 'Go round_robin': 'round_robin', 'Go least_request': 'least_request_experimental' };
const GRPC_JS = 'grpc-js round_robin';

interface Setting {
  readonly servers: number;
  readonly concurrency?: number;
  readonly rate?: number;
  readonly durationMs: number;
  readonly timeoutMs: number;
  /** Disturbs the servers; returns what ends the disturbance. */
  readonly disturb: (servers: readonly BehavingServer[]) => Promise<() => Promise<unknown>>;
  /**
   * How long after the first counted call the disturbance comes, in milliseconds; below 0: before that call.
   */
  readonly afterMs: number;
}

type Results = Map<string, LoadResult>;

/** @param parameters `full`, names of scenarios */
export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const full = parameters.includes('full');
  const wanted = parameters.filter((parameter) => parameter !== 'full');
  const place = await Place.open();
  const rows: BenchRow[] = [];
  const notes: string[] = [`form: ${full ? 'full' : 'short'}`];
  const scenario = async (name: string, setting: Setting, to: (results: Results) => BenchRow[]) => {
    if (wanted.length > 0 && !wanted.includes(name)) return;
    const results = await play(place, name, setting);
    rows.push(...to(results));
    for (const [who, { calls, failed, perSecond, p99Ms, byServer }] of results) {
      const shares = Object.entries(byServer).toSorted(([x], [y]) => x.localeCompare(y));
      const spread = shares.map(([id, count]) => `${id} ${((100 * count) / calls).toFixed(2)} %`);
      notes.push(
        `${name}, ${who}: ${perSecond.toFixed(0)}/s, p99 ${p99Ms.toFixed(1)} ms, failed ${failed} of ${calls}; ${spread.join(', ')}`,
      );
    }
  };
  try {
    await scenario(
      'slow',
      {
        servers: 3,
        concurrency: 32,
        durationMs: full ? 6_000 : 3_000,
        timeoutMs: 5_000,
        afterMs: -1,
        disturb: ([first]) => delay(first, 50),
      },
      (results) => {
        chartSlow(results);
        return [
          ...['Go least_request', GRPC_JS].map((reference) =>
            compare(
              'one of 3 slow: throughput',
              'calls/s',
              results,
              'peak_ewma',
              reference,
              (one) => one.perSecond,
            ),
          ),
          ...['Go least_request', GRPC_JS].map((reference) =>
            compare(
              'one of 3 slow: p99',
              'ms',
              results,
              'peak_ewma',
              reference,
              (one) => one.p99Ms,
            ),
          ),
          compare(
            'one of 3 slow: its share of calls',
            '%',
            results,
            'peak_ewma',
            GRPC_JS,
            shareOfFirst,
          ),
        ];
      },
    );
    await scenario(
      'frozen',
      {
        servers: 3,
        rate: 300,
        durationMs: 8_000,
        timeoutMs: 1_000,
        afterMs: 1_000,
        disturb: async ([first]) => {
          first?.process.kill('SIGSTOP');
          const timer = setTimeout(() => first?.process.kill('SIGCONT'), 6_000);
          return async () => {
            clearTimeout(timer);
            first?.process.kill('SIGCONT');
          };
        },
      },
      (results) =>
        ['Go round_robin', 'Go least_request', GRPC_JS].map((reference) =>
          compare(
            'one of 3 frozen for 6 s, 300 calls/s: failed',
            'calls',
            results,
            'peak_ewma',
            reference,
            (one) => one.failed,
          ),
        ),
    );
    await scenario(
      'eleven',
      {
        servers: 11,
        rate: full ? 1_000 : 500,
        durationMs: full ? 34_000 : 8_000,
        timeoutMs: 1_000,
        afterMs: 2_000,
        disturb: ([first]) => delay(first, 2_000),
      },
      (results) =>
        ['Go round_robin', 'Go least_request', GRPC_JS].map((reference) =>
          compare(
            'one of 11 takes 2 s: success within 1 s',
            '%',
            results,
            'peak_ewma',
            reference,
            success,
          ),
        ),
    );
    await scenario(
      'failing',
      {
        servers: 10,
        rate: 500,
        durationMs: full ? 12_000 : 6_000,
        timeoutMs: 1_000,
        afterMs: 1_000,
        disturb: async ([first]) => {
          if (first !== undefined) await behave(first, 'code', 13);
          return async () => first !== undefined && behave(first, 'code', 0);
        },
      },
      (results) =>
        ['peak_ewma', 'peak_ewma + outlier', 'round_robin + outlier'].flatMap((ours) =>
          ['Go least_request', GRPC_JS].map((reference) =>
            compare(
              `one of 10 fails at once: failed, ${ours}`,
              '%',
              results,
              ours,
              reference,
              (one) => (100 * one.failed) / one.calls,
            ),
          ),
        ),
    );
    return {
      bench: 'balancer-faults',
      node: process.version,
      etcd: place.etcd.kind,
      rows,
      notes: [...notes, goVersion()],
    };
  } finally {
    await stopEventProcesses();
    await place.close();
  }
}

async function delay(
  server: BehavingServer | undefined,
  ms: number,
): Promise<() => Promise<unknown>> {
  if (server !== undefined) await behave(server, 'delayMs', ms);
  return async () => server !== undefined && behave(server, 'delayMs', 0);
}

/** Measures every client in turn over the same servers. */
async function play(place: Place, name: string, setting: Setting): Promise<Results> {
  const ids = Array.from({ length: setting.servers }, (_, at) => `s${at}`);
  const servers = await Promise.all(ids.map((id) => startServer(id)));
  await place.list(
    name,
    servers.flatMap(({ addresses }) => addresses),
  );
  const results: Results = new Map();
  const clients: [string, () => BalancedClient][] = [
    ...OURS.map((policy): [string, () => BalancedClient] => [
      policy,
      () => place.ours(name, { loadBalancing: policy, retry: false }),
    ]),
    ...(name === 'slow'
      ? OTHERS.map((policy): [string, () => BalancedClient] => [
          policy,
          () =>
            policy === 'consistent_hash'
              ? hashing(place, name)
              : place.ours(name, { loadBalancing: policy, retry: false }),
        ])
      : []),
    ...(name === 'failing'
      ? (['round_robin', 'peak_ewma'] as const).map((policy): [string, () => BalancedClient] => [
          `${policy} + outlier`,
          () =>
            place.ours(name, { loadBalancing: { policy, outlierDetection: true }, retry: false }),
        ])
      : []),
    [GRPC_JS, () => place.roundRobin(name)],
  ];
  for (const [who, create] of clients) {
    const client = create();
    await warmUp(client.call, who === 'pick_first' ? 1 : setting.servers);
    const load = new Load(client.call, setting.timeoutMs);
    results.set(
      who,
      await disturbed(setting, servers, () =>
        setting.rate === undefined
          ? load.closed(setting.concurrency ?? 32, setting.durationMs)
          : load.open(setting.rate, setting.durationMs),
      ),
    );
    await client.close();
  }
  for (const [who, policy] of goAvailable() ? Object.entries(GO) : []) {
    const go = await startGo('load', place.etcd.hosts[0] ?? '', name, {
      policy,
      warm: setting.servers,
      concurrency: setting.concurrency ?? 32,
      rate: setting.rate ?? 0,
      'duration-ms': setting.durationMs,
      'timeout-ms': setting.timeoutMs,
    });
    await go.waitForEvent('warm');
    const done = await disturbed(setting, servers, () =>
      go.waitForEvent('done', { timeoutMs: 120_000 }),
    );
    const calls = Number(done['calls']);
    results.set(who, {
      calls,
      failed: Number(done['failed']),
      perSecond: (calls * 1_000) / Number(done['elapsedMs']),
      byServer: done['byServer'] as Record<string, number>,
      p99Ms: Number(done['p99Ms']),
    });
  }
  for (const server of servers) await server.process.stop();
  return results;
}

const hashKey = (request: unknown): string => (request as { readonly name: string }).name;

/** A client with `consistent_hash` whose calls have the names of a thousand users as keys. */
function hashing(place: Place, service: string): BalancedClient {
  const loadBalancing = { policy: 'consistent_hash', hashKey } as const;
  const client = place.ours(service, { loadBalancing, retry: false });
  let user = 0;
  const call: BalancedClient['call'] = (options) =>
    client.call({ ...options, name: `user-${user++ % 1_000}` });
  return { ...client, call };
}

async function disturbed<T>(
  setting: Setting,
  servers: readonly BehavingServer[],
  work: () => Promise<T>,
): Promise<T> {
  let end: (() => Promise<unknown>) | undefined;
  if (setting.afterMs < 0) end = await setting.disturb(servers);
  const working = work();
  if (setting.afterMs >= 0) {
    await new Promise((resolve) => setTimeout(resolve, setting.afterMs));
    end = await setting.disturb(servers);
  }
  const result = await working;
  await end?.();
  return result;
}

function compare(
  name: string,
  unit: string,
  results: Results,
  ours: string,
  reference: string,
  figure: (result: LoadResult) => number,
): BenchRow {
  const [mine, theirs] = [ours, reference].map((who) => {
    const result = results.get(who);
    return result === undefined ? NaN : figure(result);
  });
  return benchRow({
    name,
    unit,
    ours: mine ?? NaN,
    reference: theirs ?? NaN,
    referenceName: reference,
  });
}

const success = ({ calls, failed }: LoadResult): number => 100 - (100 * failed) / calls;
const shareOfFirst = ({ calls, byServer }: LoadResult): number =>
  (100 * (byServer['s0'] ?? 0)) / calls;

function chartSlow(results: Results): void {
  const bars = [...results].map(([label, { perSecond }]) => ({ label, value: perSecond }));
  writeChart(
    'slow-server',
    barChart('One of three servers takes 50 ms: calls per second, 32 at a time', bars),
  );
}
