/**
 * 60 random faults in sequence on three nodes, from a printed seed: failed calls and time to recover of each.
 *
 * `npm run bench -- random-faults [SEED [COUNT]]`. Row 14 of the fault matrix. Time to live 5 s, 200 calls/s
 * and a long stream.
 */
import { findEtcdBinaries } from '../test/support/etcd-process.js';
import type { BenchResult, BenchRow } from './support/bench-result.js';
import { RandomFaults } from './support/random-faults.js';
import { quantile } from './support/statistics.js';

export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const seed = Number(parameters[0] ?? Date.now() % 1_000_000);
  const count = Number(parameters[1] ?? 60);
  const binary = findEtcdBinaries().at(-1);
  if (binary === undefined) throw new Error('there is no etcd on this machine');
  console.log(`seed ${seed}, etcd ${binary.version}`);
  const faults = await RandomFaults.start(seed, { binary, ttlSeconds: 5 });
  const seconds: number[] = [];
  try {
    const first = await faults.tick();
    let before = first;
    for (let number = 1; number <= count; number++) {
      const name = await faults.next();
      const right = await faults.converged();
      const after = await faults.tick();
      const failed = after.failed - before.failed;
      const took =
        right === undefined
          ? 'never'
          : `${(right.recordsMs / 1_000).toFixed(2)} s (records), ${(right.listMs / 1_000).toFixed(2)} s (list)`;
      console.log(`${String(number).padStart(3)} ${name}: right after ${took}, ${failed} failed`);
      if (failed > 0) console.log(`      ${after.lastError ?? ''}`);
      seconds.push(right === undefined ? Infinity : right.listMs / 1_000);
      before = after;
    }
    const never = seconds.filter((each) => each === Infinity).length;
    return {
      bench: 'random-faults',
      node: process.version,
      etcd: `etcd ${binary.version}`,
      rows: [
        figure(`${count} faults, seed ${seed}: not converged`, 'faults', never),
        figure('failed calls', 'calls', before.failed - first.failed),
        figure(
          'stream broken',
          'times',
          (before.stream?.broken ?? 0) - (first.stream?.broken ?? 0),
        ),
      ],
      notes: [
        `${before.calls - first.calls} calls; right after ${quantile(seconds, 0.5).toFixed(2)} s (median), ${quantile(seconds, 1).toFixed(2)} s (longest)`,
      ],
    };
  } finally {
    await faults.stop();
  }
}

/** A row whose figure must be 0. */
function figure(name: string, unit: string, ours: number): BenchRow {
  const ratio = ours === 0 ? 1 : Infinity;
  return { name, unit, ours, reference: 0, referenceName: 'what is expected', ratio };
}
