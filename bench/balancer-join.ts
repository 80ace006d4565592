/**
 * From a server's record in etcd to its first call, and from the record's end to its last: a client that is in use, ours and Go's on
 * the same etcd; `full` for 20 rounds.
 *
 * Both clients make 500 calls per second, and take turns. The clock starts before the record is written, and stops when the first
 * answer of the new server is there; the server has answered others before. It starts again before the record is deleted, and stops
 * when the last call is sent there.
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
    const clients = new Map<Who, Joining>();
    for (const who of goAvailable() ? (['ours', 'go'] as const) : (['ours'] as const)) {
      clients.set(who, await Joining.start(place, who));
    }
    for (let round = 0; round < rounds; round++) {
      for (const client of clients.values()) await client.round(round);
    }
    const rows: BenchRow[] = (['joinMs', 'leaveMs'] as const).flatMap((figure) =>
      [0.5, 0.95].map((q) => {
        const [ours, go] = (['ours', 'go'] as const).map((who) =>
          quantile(clients.get(who)?.[figure] ?? [Number.NaN], q),
        );
        const what =
          figure === 'joinMs' ? 'record put to first call' : 'record deleted to last call';
        return benchRow({
          name: `${what}, ${q === 0.5 ? 'median' : 'p95'} of ${rounds}`,
          unit: 'ms',
          ours: ours ?? Number.NaN,
          reference: go ?? Number.NaN,
          referenceName: 'Go round_robin',
        });
      }),
    );
    const bars = rows.flatMap(({ name, ours, reference }) => {
      const what = `${name.startsWith('record put') ? 'join' : 'leave'}, ${name.split(', ')[1] ?? ''}`;
      return [
        { label: `ours, ${what}`, value: ours },
        { label: `Go, ${what}`, value: reference },
      ];
    });
    writeChart('join-leave', barChart('From record to first call, and to the last', bars, ' ms'));
    return { bench: 'balancer-join', node: process.version, etcd: place.etcd.kind, rows };
  } finally {
    await stopEventProcesses();
    await place.close();
  }
}

type Who = 'ours' | 'go';

/** One client, and what it took to see servers come and go. */
class Joining {
  readonly joinMs: number[] = [];
  readonly leaveMs: number[] = [];

  private constructor(
    private readonly place: Place,
    private readonly who: Who,
    private readonly client: EventProcess,
  ) {}

  static async start(place: Place, who: Who): Promise<Joining> {
    const first = await startServer(`${who}-first`);
    await place.list(who, first.addresses);
    const client = await startClient(place.etcd.hosts[0] ?? '', who);
    const joining = new Joining(place, who, client);
    await joining.told('seen', first.id);
    return joining;
  }

  /** One server comes, and goes: into a fleet of one, so that what is measured is not how long a rotation takes. */
  async round(number: number): Promise<void> {
    const { place, who } = this;
    const server = await startServer(`${who}-${number}`);
    await warmUp(server.addresses[0] ?? '');
    const putMs = wallMs();
    await place.list(who, server.addresses);
    this.joinMs.push((await this.told('seen', server.id)) - putMs);
    await pause(200);
    const deletedMs = wallMs();
    await place.unlist(who, server.addresses);
    this.leaveMs.push((await this.told('left', server.id)) - deletedMs);
    await server.process.stop();
  }

  private async told(what: 'seen' | 'left', server: string): Promise<number> {
    const event = await this.client.waitForEvent(
      (one) => one.event === what && one['server'] === server,
    );
    return Number(event['atMs']);
  }
}

/** The first calls of a process are slow whoever makes them: they are not what is measured. */
async function warmUp(address: string): Promise<void> {
  const client = bareClient(address, {});
  for (let call = 0; call < 200; call++) await client.call();
  await client.close();
}

/** A client that calls at a steady rate, for as long as it runs. */
function startClient(host: string, who: Who): Promise<EventProcess> | EventProcess {
  if (who === 'go') return startGo('load', host, who, { rate: RATE, 'duration-ms': 600_000 });
  const entry = fileURLToPath(new URL('./support/join-client.js', import.meta.url));
  return new EventProcess(process.execPath, [entry, host, who, String(RATE)], { name: who });
}

/** The time of day in milliseconds, with fractions: two processes are compared. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
