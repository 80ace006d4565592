/**
 * From a server's record in etcd to its first call, and from the record's end to its last; `full`: 80 rounds.
 *
 * A client, ours and then Go's on the same etcd, makes 500 calls per second, and is alone on the machine with
 * etcd and the servers. The clients take turns of ten rounds each, in changing order. One turn of each client
 * before them does not count, because this process and etcd are slow at first; nor do the first two rounds of
 * a turn. The clock starts before the record is written, and stops at the first answer of the new server,
 * which has answered other calls before. The clock starts again before the record is deleted, and stops when
 * the last call is sent to that server.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { goAvailable, startGo } from '../test/interop/go-program.js';
import { EventProcess, stopEventProcesses } from '../test/support/event-process.js';
import { bareClient, type BehavingServer, Place, startServer } from './support/balanced-fleet.js';
import { type BenchResult, type BenchRow, benchRow } from './support/bench-result.js';
import { barChart, writeChart } from './support/chart.js';
import { quantile } from './support/statistics.js';

/**
 * Calls per second: so many that the wait for the next call adds little, and so few that a client has time
 * for a new list.
 */
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

/** How many rounds a turn of one client has. */
const TURN = 10;
const UNCOUNTED = 2;

/** How long a client took to notice servers that come and go. */
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

/** A client, its service and the one server that is always there. */
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
    // A pause under load, because the first thousands of calls are slow in every process.
    await pause(4_000);
    return joining;
  }

  async stop(): Promise<void> {
    await this.client.stop();
    await this.first.process.stop();
  }

  /**
   * Adds and removes one server beside the one that is always there: with more servers, the wait for the new
   * server's turn would be measured too.
   */
  async round(number: number, into: Figures): Promise<void> {
    const { place, service } = this;
    const server = await startServer(`${service}-${number}`);
    await warmUp(server.addresses[0] ?? '');
    // A pause, so that what the server compiles in the background does not disturb the client.
    await pause(200);
    const putMs = wallMs();
    await place.list(service, server.addresses);
    into.joinMs.push((await this.told('seen', server.id)) - putMs);
    await pause(200);
    const deletedMs = wallMs();
    await place.unlist(service, server.addresses);
    // The last call may have been sent before the record was deleted: calls come every two milliseconds.
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

/** Makes calls that are not measured, because the first calls of every process are slow. */
async function warmUp(address: string): Promise<void> {
  const client = bareClient(address, {});
  for (let call = 0; call < 200; call++) await client.call();
  await client.close();
}

/** Starts a client that calls at a steady rate for as long as it runs. */
function startClient(
  host: string,
  service: string,
  who: Who,
): Promise<EventProcess> | EventProcess {
  if (who === 'go') return startGo('load', host, service, { rate: RATE, 'duration-ms': 600_000 });
  const entry = fileURLToPath(new URL('./support/join-client.js', import.meta.url));
  return new EventProcess(process.execPath, [entry, host, service, String(RATE)], { name: who });
}

/** The time of day in milliseconds, with fractions, because it is compared between processes. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
