/**
 * Calls per second and CPU per call of a client over three servers, ours and grpc-js; `full`: ten rounds.
 *
 * `throughput` has all clients in one process, where each also pays for the garbage of the others. Here each
 * client has a process of its own. The clients take turns, in changing order; the figures are medians over
 * the rounds.
 */
import { fileURLToPath } from 'node:url';
import { EventProcess, stopEventProcesses } from '../test/support/event-process.js';
import { Place, startServer } from './support/balanced-fleet.js';
import { type BenchResult, benchRow } from './support/bench-result.js';
import { median } from './support/statistics.js';
import type { Cost } from './support/user-calls.js';

const SERVICE = 'calls';
const KINDS = ['ours', 'one', 'three'] as const;
const REFERENCES = {
  one: 'bare grpc-js, direct, 1 of them',
  three: 'bare grpc-js, round_robin, the same 3',
};

/** @param parameters `full` */
export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const rounds = parameters.includes('full') ? 10 : 3;
  const place = await Place.open();
  try {
    const servers = await Promise.all(['a', 'b', 'c'].map((id) => startServer(id)));
    const addresses = servers.flatMap((server) => server.addresses);
    await place.list(SERVICE, addresses);
    const costs: Record<(typeof KINDS)[number], Cost[]> = { ours: [], one: [], three: [] };
    for (let round = 0; round < rounds; round++) {
      for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
        costs[kind].push(await measure(place.etcd.hosts[0] ?? '', addresses, kind));
      }
    }
    const rows = (['one', 'three'] as const).flatMap((kind) =>
      (['callsPerSecond', 'cpuMicros'] as const).map((figure) =>
        benchRow({
          name: figure === 'cpuMicros' ? 'CPU per call' : 'calls',
          unit: figure === 'cpuMicros' ? 'µs' : 'calls/s',
          ours: median(costs.ours.map((cost) => cost[figure])),
          reference: median(costs[kind].map((cost) => cost[figure])),
          referenceName: REFERENCES[kind],
        }),
      ),
    );
    return { bench: 'balancer-calls', node: process.version, etcd: place.etcd.kind, rows };
  } finally {
    await stopEventProcesses();
    await place.close();
  }
}

/** Runs one client process and returns what its calls cost. */
async function measure(host: string, addresses: readonly string[], kind: string): Promise<Cost> {
  const entry = fileURLToPath(new URL('./support/cost-client.js', import.meta.url));
  const client = new EventProcess(
    process.execPath,
    [entry, host, SERVICE, addresses.join(','), kind],
    { name: kind },
  );
  const { callsPerSecond, cpuMicros } = await client.waitForEvent('measured', {
    timeoutMs: 120_000,
  });
  await client.exit;
  return { callsPerSecond: Number(callsPerSecond), cpuMicros: Number(cpuMicros) };
}
