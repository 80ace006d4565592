/**
 * Thousands of processes whose etcd was away, simulated: time until all are back, and number of requests.
 *
 * `npm run bench -- herd-simulation [PROCESSES,PROCESSES... [SEED,SEED...]]`, by default 1000,5000,10000 and
 * seeds 1,2. Each process has a record and follows 10 services. The library's own machines run in virtual
 * time (`test/support/herd-model.ts`): nothing is dialled.
 */
import { type HerdFault, simulateHerd } from '../test/support/herd-model.js';
import { type BenchResult, benchRow, type BenchRow } from './support/bench-result.js';

const SERVICES = 10;
const AWAY_MS = 20_000;
/** Cores of the simulated machine, which etcd has to itself. */
const CORES = 4;
const FAULTS: readonly HerdFault[] = ['killed', 'wiped', 'stalled'];
/** The bound on the time until all processes are back, in seconds. */
const BOUND_SECONDS = 30;
/** The bound on the requests until then, as a multiple of the smallest possible number. */
const BOUND_RATIO = 2.5;

export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const [sizes = '1000,5000,10000', seeds = '1,2'] = parameters;
  const rows: BenchRow[] = [];
  for (const processes of sizes.split(',').map(Number)) {
    for (const fault of FAULTS) {
      for (const seed of seeds.split(',').map(Number)) {
        const options = {
          processes,
          services: SERVICES,
          fault,
          awayMs: AWAY_MS,
          cores: CORES,
          seed,
        };
        const { backMs = Infinity, requests, least, peakPerSecond } = await simulateHerd(options);
        const name = `${processes} processes, ${fault} for ${AWAY_MS / 1000} s, seed ${seed}`;
        const peak = `peak ${peakPerSecond} requests/s`;
        rows.push(
          benchRow({
            name: `${name}: all back`,
            unit: 's',
            ours: backMs / 1000,
            reference: BOUND_SECONDS,
            referenceName: 'bound',
          }),
          benchRow({
            name: `${name}: requests until then (${peak})`,
            unit: 'requests',
            ours: requests,
            reference: least * BOUND_RATIO,
            referenceName: `bound, ${BOUND_RATIO} x the least of ${least}`,
          }),
        );
        console.error(`${name}: ${backMs / 1000} s, ${(requests / least).toFixed(2)} x, ${peak}`);
      }
    }
  }
  return { bench: 'herd-simulation', node: process.version, etcd: 'a model', rows };
}
