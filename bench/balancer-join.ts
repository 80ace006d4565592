/**
 * From a server's record in etcd to its first call: a client that is in use, ours and Go's on the same etcd; `full` for 20 rounds.
 *
 * Both clients make 500 calls per second. The clock starts before the record is written, and stops when the first answer of the new
 * server is there; the server has answered others before.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { goAvailable, startGo } from '../test/interop/go-program.js';
import { EventProcess, stopEventProcesses } from '../test/support/event-process.js';
import { bareClient, Place, startServer } from './support/balanced-fleet.js';
import { type BenchResult, type BenchRow, benchRow } from './support/bench-result.js';
import { barChart, writeChart } from './support/chart.js';
import { quantile } from './support/statistics.js';

/** Calls per second: often enough not to add much, and not so often that a client has nothing left for what is new. */
const RATE = 500;

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
  const client = await startClient(place.etcd.hosts[0] ?? '', who);
  const seen = async (server: string): Promise<number> => {
    const event = await client.waitForEvent(
      (one) => one.event === 'seen' && one['server'] === server,
    );
    return Number(event['atMs']);
  };
  await seen(first.id);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const server = await startServer(`${who}-${round}`);
    await warmUp(server.addresses[0] ?? '');
    const started = wallMs();
    await place.list(who, server.addresses);
    times.push((await seen(server.id)) - started);
    // One at a time joins a fleet of one: what is measured is not how long a rotation takes.
    await place.unlist(who, server.addresses);
    await pause(100);
    await server.process.stop();
  }
  await client.stop();
  return times;
}

/** The first calls of a process are slow whoever makes them: they are not what is measured. */
async function warmUp(address: string): Promise<void> {
  const client = bareClient(address, {});
  for (let call = 0; call < 200; call++) await client.call();
  await client.close();
}

/** A client that calls at a steady rate, for as long as it runs. */
function startClient(host: string, who: 'ours' | 'go'): Promise<EventProcess> | EventProcess {
  if (who === 'go') return startGo('load', host, who, { rate: RATE, 'duration-ms': 600_000 });
  const entry = fileURLToPath(new URL('./support/join-client.js', import.meta.url));
  return new EventProcess(process.execPath, [entry, host, who, String(RATE)], { name: who });
}

/** The time of day in milliseconds, with fractions: two processes are compared. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
