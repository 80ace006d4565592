/**
 * The fault matrix on real etcd: failed calls and seconds to recover, ours and Go's; `long`: all rows.
 *
 * `npm run bench -- faults [long] [cluster] [nest|go] [3.4|3.6] [ROW...]`, e.g. `faults nest 1a 11`. With
 * `cluster`, rows for one member run on three, and faults of etcd strike all three. Every row has a fresh
 * etcd and a fleet of 3 servers and 1 client, each a process, under 200 calls/s and, on our side, one long
 * stream; time to live 10 s. The Go pair runs if Go is installed, on an etcd without users and TLS. A
 * registration that is still missing after 30 s counts as lost. In row 12, calls under way on the server that
 * dies always fail.
 */
import { goAvailable } from '../test/interop/go-program.js';
import { findEtcdBinaries } from '../test/support/etcd-process.js';
import type { BenchResult, BenchRow } from './support/bench-result.js';
import { type FaultOutcome, type FaultRow, measureFault, type Side } from './support/fault-rig.js';
import { FAULT_ROWS } from './support/fault-rows.js';

export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const ids = parameters.filter((each) => FAULT_ROWS.some(({ id }) => id === each));
  const chosen = FAULT_ROWS.filter(({ id, long }) =>
    ids.length > 0 ? ids.includes(id) : long !== true || parameters.includes('long'),
  );
  const sides = (['nest', 'go'] as const).filter(
    (side) =>
      (side === 'nest' || goAvailable()) &&
      (!(parameters.includes('nest') || parameters.includes('go')) || parameters.includes(side)),
  );
  const wanted = parameters.filter((each) => /^3\.\d+$/.test(each));
  const binaries = findEtcdBinaries().filter(
    ({ version }) => wanted.length === 0 || wanted.some((each) => version.startsWith(each)),
  );
  const members = parameters.includes('cluster') ? 3 : 1;
  const rows: BenchRow[] = [];
  for (const binary of binaries) {
    for (const row of chosen) {
      const outcomes: Partial<Record<Side, FaultOutcome>> = {};
      for (const side of sides) {
        const isOurs = row.secured !== undefined || row.oursOnly === true;
        if (side === 'go' && isOurs) continue;
        outcomes[side] = await measureFault(row, side, binary, row.members ?? members);
      }
      const etcd = `${binary.version}${members === 3 ? ' × 3' : ''}`;
      rows.push(...benchRows(`${etcd} ${row.id} ${row.name}`, outcomes));
      // Prints each row at once, because a row takes minutes.
      console.log(describe(etcd, row, outcomes));
    }
  }
  const etcd = `etcd ${binaries.map(({ version }) => version).join(' and ')}`;
  return { bench: 'faults', node: process.version, etcd, rows };
}

function benchRows(name: string, { nest, go }: Partial<Record<Side, FaultOutcome>>): BenchRow[] {
  const figures = [
    ['failed calls', 'calls', nest?.failed, go?.failed],
    ['records right after', 's', nest?.recordsSeconds, go?.recordsSeconds],
    ['list right after', 's', nest?.listSeconds, go?.listSeconds],
    ['registrations lost', 'records', nest?.lost, go?.lost],
  ] as const;
  return figures.map(([figure, unit, ours = NaN, reference = NaN]) => {
    const ratio = ours === reference ? 1 : ours / reference;
    return { name: `${name}: ${figure}`, unit, ours, reference, referenceName: 'Go', ratio };
  });
}

function describe(
  version: string,
  { id, name, expected }: FaultRow,
  outcomes: Partial<Record<Side, FaultOutcome>>,
): string {
  const lines = Object.entries(outcomes).map(([side, outcome]) => {
    const { failed, calls, broken, recordsSeconds, listSeconds, lost } = outcome;
    const records = lost > 0 ? `${lost} lost` : `records ${seconds(recordsSeconds)}`;
    const list = side === 'go' ? '' : `, list ${seconds(listSeconds)}, stream broken ${broken}×`;
    return `  ${side.padEnd(5)}${failed} of ${calls} failed, ${records}${list}`;
  });
  const log = (outcomes.nest?.log ?? []).slice(0, 6).map((line) => `        ${line}`);
  return [`etcd ${version}, ${id} ${name} (${expected})`, ...lines, ...log].join('\n');
}

function seconds(value: number): string {
  return Number.isNaN(value) ? 'not within 30 s' : `right after ${value.toFixed(2)} s`;
}
