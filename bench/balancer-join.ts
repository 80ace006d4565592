/**
 * From a server's record in etcd to its first call, and from the record's end to its last: a client that is in use, ours and Go's on
 * the same etcd; `full` for 80 rounds.
 *
 * A client makes 500 calls per second, and is alone on the machine with etcd and the servers. Ours and Go's take turns of ten rounds
 * each, in changing order, after one turn of each that does not count: this process and etcd are slow at first, whoever comes first; nor do
 * the first two rounds of a turn. The clock starts before the record is written, and stops when the first answer of the new server is
 * there; the server has answered others before. It starts again before the record is deleted, and stops when the last call is sent there.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { goAvailable, startGo } from '../test/interop/go-program.js';
import { EventProcess, stopEventProcesses } from '../test/support/event-process.js';
import { bareClient, type BehavingServer, Place, startServer } from './support/balanced-fleet.js';
import { type BenchResult, type BenchRow, benchRow } from './support/bench-result.js';
import { barChart, writeChart } from './support/chart.js';
import { quantile } from './support/statistics.js';

/** Calls per second: often enough not to add much, and not so often that a client has nothing left for what is new. */
const RATE = 500;

/** @param parameters `full` */
export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const rounds = parameters.includes('full') ? 80 : 10;
  const place = await Place.open();
  try {
    const found = { ours: new Figures(), go: new Figures() };
    const both: Who[] = goAvailable() ? ['ours', 'go'] : ['ours'];
    for (const who of both) await takeTurn(place, who, 0, new Figures());
    for (let turn = 1; turn <= rounds / TURN; turn++) {
      for (const who of turn % 2 === 0 ? both : both.toReversed())
        await takeTurn(place, who, turn, found[who]);
    }
    const rows: BenchRow[] = (['joinMs', 'leaveMs'] as const).flatMap((figure) =>
      [0.5, 0.95].map((q) => {
        const [ours, go] = (['ours', 'go'] as const).map((who) =>
          found[who][figure].length === 0 ? Number.NaN : quantile(found[who][figure], q),
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

/** Rounds of one client until the other has its turn, and those before that are not counted. */
const TURN = 10;
const UNCOUNTED = 2;

/** What it took to see servers come and go. */
class Figures {
  readonly joinMs: number[] = [];
  readonly leaveMs: number[] = [];
}

async function takeTurn(place: Place, who: Who, turn: number, into: Figures): Promise<void> {
  const joining = await Joining.start(place, `${who}-${turn}`, who);
  for (let round = -UNCOUNTED; round < TURN; round++) {
    await joining.round(round, round < 0 ? new Figures() : into);
  }
  await joining.stop();
}

/** One client of a service of its own, with the server that is always there. */
class Joining {
  private constructor(
    private readonly place: Place,
    private readonly service: string,
    private readonly client: EventProcess,
    private readonly first: BehavingServer,
  ) {}

  static async start(place: Place, service: string, who: Who): Promise<Joining> {
    const first = await startServer(`${service}-first`);
    await place.list(service, first.addresses);
    const client = await startClient(place.etcd.hosts[0] ?? '', service, who);
    const joining = new Joining(place, service, client, first);
    await joining.told('seen', first.id);
    // In use: what a process does the first thousands of times is slow whoever it is.
    await pause(4_000);
    return joining;
  }

  async stop(): Promise<void> {
    await this.client.stop();
    await this.first.process.stop();
  }

  /** One server comes, and goes: into a fleet of one, so that what is measured is not how long a rotation takes. */
  async round(number: number, into: Figures): Promise<void> {
    const { place, service } = this;
    const server = await startServer(`${service}-${number}`);
    await warmUp(server.addresses[0] ?? '');
    // What it has begun to compile in the background is not to be in the client's way.
    await pause(200);
    const putMs = wallMs();
    await place.list(service, server.addresses);
    into.joinMs.push((await this.told('seen', server.id)) - putMs);
    await pause(200);
    const deletedMs = wallMs();
    await place.unlist(service, server.addresses);
    // The last call may have been sent before: calls come every two milliseconds.
    into.leaveMs.push(Math.max(0, (await this.told('left', server.id)) - deletedMs));
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
function startClient(
  host: string,
  service: string,
  who: Who,
): Promise<EventProcess> | EventProcess {
  if (who === 'go') return startGo('load', host, service, { rate: RATE, 'duration-ms': 600_000 });
  const entry = fileURLToPath(new URL('./support/join-client.js', import.meta.url));
  return new EventProcess(process.execPath, [entry, host, service, String(RATE)], { name: who });
}

/** The time of day in milliseconds, with fractions: two processes are compared. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
