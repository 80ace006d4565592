/**
 * Random faults for minutes: heap, handles and sockets of client and servers, compared over time.
 *
 * `npm run bench -- soak [MINUTES [SEED]]`, 15 minutes by default. The last third of the time is compared
 * with the middle third. Figures are taken when all is right again, after a garbage collection.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { findEtcdBinaries } from '../test/support/etcd-process.js';
import type { FaultTick, ResourceFigures } from '../test/support/fault-fleet.js';
import type { BenchResult, BenchRow } from './support/bench-result.js';
import { RandomFaults } from './support/random-faults.js';
import { median } from './support/statistics.js';

const FIGURES = ['heapMb', 'handles', 'sockets'] as const;

export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const minutes = Number(parameters[0] ?? 15);
  const seed = Number(parameters[1] ?? Date.now() % 1_000_000);
  const binary = findEtcdBinaries().at(-1);
  if (binary === undefined) throw new Error('there is no etcd on this machine');
  console.log(`seed ${seed}, etcd ${binary.version}, ${minutes} minutes`);
  const faults = await RandomFaults.start(seed, { binary, ttlSeconds: 5 });
  const samples: Sample[] = [];
  let stuck = 0;
  try {
    const until = performance.now() + minutes * 60_000;
    for (let count = 0; performance.now() < until; count++) {
      if (count % 5 === 0) {
        const sample = await quiet(faults);
        samples.push(sample);
        const { client, servers } = sample;
        console.log(
          `after ${count} faults: client ${show(client)}; servers ${show(servers)}; ${client.failed} of ${client.calls} failed`,
        );
      }
      await faults.next();
      if ((await faults.converged()) === undefined) stuck += 1;
    }
    samples.push(await quiet(faults));
  } finally {
    await faults.stop();
  }
  const last = samples.at(-1)?.client;
  const rows = (['client', 'servers'] as const).flatMap((who) =>
    FIGURES.map((unit): BenchRow => {
      // The first third is warm-up: the first faults open handles that stay open.
      const third = Math.max(1, Math.floor(samples.length / 3));
      const part = (from: number, to?: number) =>
        median(samples.slice(from, to).map((sample) => sample[who][unit] ?? NaN));
      const reference = part(third, 2 * third);
      const ours = part(-third);
      const name = `${who}, last third`;
      const referenceName = 'the middle third';
      return { name, unit, ours, reference, referenceName, ratio: ours / reference };
    }),
  );
  return {
    bench: 'soak',
    node: process.version,
    etcd: `etcd ${binary.version}`,
    rows,
    notes: [
      `${minutes} minutes, seed ${seed}: ${last?.failed} of ${last?.calls} calls failed, stream broken ${last?.stream?.broken}×, not converged ${stuck}×`,
    ],
  };
}

/**
 * Takes a sample at rest, when leftovers of the last fault have timed out, and after a garbage collection.
 */
async function quiet({ fleet }: RandomFaults): Promise<Sample> {
  await delay(3_000);
  fleet.client.kill('SIGHUP');
  const client = await fleet.tick(({ calls }) => calls > 0);
  return { client, servers: await fleet.serverResources() };
}

interface Sample {
  readonly client: FaultTick;
  /** The sum over all servers. */
  readonly servers: ResourceFigures;
}

function show(figures: ResourceFigures): string {
  return FIGURES.map((name) => `${name} ${figures[name]?.toFixed(1)}`).join(', ');
}
