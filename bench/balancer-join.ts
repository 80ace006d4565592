/**
 * From a server's record in etcd to its first call: a client that is in use, ours and Go's on the same etcd; `full` for 20 rounds.
 *
 * Both clients call all the time. The clock starts before the record is written, and stops when the first answer of the new
 * server is there.
 */
import { goAvailable, startGo } from '../test/interop/go-program.js';
import { stopEventProcesses } from '../test/support/event-process.js';
import { Place, startServer } from './support/balanced-fleet.js';
import { type BenchResult, type BenchRow, benchRow } from './support/bench-result.js';
import { barChart, writeChart } from './support/chart.js';
import { quantile } from './support/statistics.js';

/** @param parameters `full` */
export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const rounds = parameters.includes('full') ? 20 : 6;
  const place = await Place.open();
  try {
    const ours = await joins(place, 'ours', rounds);
    const go = goAvailable() ? await joins(place, 'go', rounds) : [Number.NaN];
    const rows: BenchRow[] = [0.5, 0.95].map((q) =>
      benchRow({
        name: `record put to first call, ${q === 0.5 ? 'median' : 'p95'} of ${rounds}`,
        unit: 'ms',
        ours: quantile(ours, q),
        reference: quantile(go, q),
        referenceName: 'Go round_robin',
      }),
    );
    const bars = rows.flatMap((row) => [
      { label: `ours, ${row.name.split(', ')[1] ?? ''}`, value: row.ours },
      { label: `Go client, ${row.name.split(', ')[1] ?? ''}`, value: row.reference },
    ]);
    writeChart('join', barChart('From record to first call', bars, ' ms'));
    return { bench: 'balancer-join', node: process.version, etcd: place.etcd.kind, rows };
  } finally {
    await stopEventProcesses();
    await place.close();
  }
}

/** Milliseconds from record to first answer, one server after the other. */
async function joins(place: Place, who: 'ours' | 'go', rounds: number): Promise<number[]> {
  const first = await startServer(`${who}-first`);
  await place.list(who, first.addresses);
  const seen = who === 'ours' ? watchOurs(place) : await watchGo(place);
  await seen.of(first.id);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const server = await startServer(`${who}-${round}`);
    const started = wallMs();
    await place.list(who, server.addresses);
    times.push((await seen.of(server.id)) - started);
  }
  await seen.end();
  return times;
}

/** When each server answered first. */
interface Seen {
  of(server: string): Promise<number>;
  end(): Promise<void>;
}

function watchOurs(place: Place): Seen {
  const client = place.ours('ours', { loadBalancing: 'round_robin' });
  const times = new Map<string, number>();
  const waiting = new Map<string, (atMs: number) => void>();
  const stop = new AbortController();
  const work = (async () => {
    while (!stop.signal.aborted) {
      const server = await client.call({ timeoutMs: 5_000 }).catch(() => undefined);
      if (server !== undefined && !times.has(server)) {
        times.set(server, wallMs());
        waiting.get(server)?.(wallMs());
      }
    }
  })();
  return {
    of: (server) =>
      new Promise((resolve) => {
        const known = times.get(server);
        if (known === undefined) waiting.set(server, resolve);
        else resolve(known);
      }),
    end: async () => {
      stop.abort();
      await work;
      await client.close();
    },
  };
}

async function watchGo(place: Place): Promise<Seen> {
  const go = await startGo('load', place.etcd.hosts[0] ?? '', 'go', {
    concurrency: 1,
    'duration-ms': 600_000,
  });
  return {
    of: async (server) => {
      const event = await go.waitForEvent(
        (one) => one.event === 'seen' && one['server'] === server,
      );
      return Number(event['atMs']);
    },
    end: async () => void (await go.stop()),
  };
}

/** The time of day in milliseconds, with fractions: two processes are compared. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
