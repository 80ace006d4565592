/**
 * `npm run mutation -- [EDITS] [SEED] [PREFIX]` makes small edits of the library at random, one at a time,
 * and runs the unit tests of the edited file's room that reach it. An edit that no test notices is a
 * survivor: a test is missing there, or the edit belongs on the list of equivalents.
 *
 * 60 edits, seed 1 and `lib/` by default. Ends with code 1 where a room is below its mark beyond chance.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { seededRandom } from '../support/seeded-random.js';
import { isEquivalent } from './equivalents.js';
import { describeEdit, type Edit } from './find-edits.js';
import { MARKS, orderSpecs, type Outcome, roomOf, sampleEdits, scoreRooms } from './sample.js';
import { TreeCopy } from './tree-copy.js';
import { WorkerProcess } from './worker-process.js';

/** How long the unit tests may take without an edit, in milliseconds. */
const CONTROL_LIMIT_MS = 900_000;
/** An edit's specs may take so many times what they took without it, and this many milliseconds more. */
const LIMIT = { times: 5, plusMs: 30_000 };
/** So may one test of them; a test that waits longer has noticed the edit. */
const TEST_LIMIT = { times: 3, plusMs: 5_000 };

const [size = '60', seed = '1', prefix = 'lib/'] = process.argv.slice(2);
const copy = new TreeCopy(projectRoot(import.meta.url));
const reachedFolder = mkdtempSync(join(tmpdir(), 'reached-'));
const workers = [
  new WorkerProcess(copy.root, { REACHED_FOLDER: reachedFolder }),
  new WorkerProcess(copy.root),
] as const;

function cleanUp(): void {
  for (const worker of workers) worker.stop();
  copy.remove();
  rmSync(reachedFolder, { recursive: true, force: true });
}
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(1));
}

/** What a run without edits shows. */
interface Control {
  /** The specs that reach an edit, by its index. */
  readonly reaching: ReadonlyMap<number, readonly string[]>;
  durationMs(spec: string): number;
}

/** Runs the unit tests of the sample's rooms, with probes. They have to pass. */
async function runControl(sample: readonly Edit[]): Promise<Control> {
  const [worker] = workers;
  copy.probe(sample);
  const rooms = new Set(sample.map(({ file }) => `test/unit/${roomOf(file)}/`));
  const specs = copy.specs
    .filter((spec) => [...rooms].some((room) => spec.startsWith(room)))
    .map((spec) => copy.path(spec));
  const request = { changed: [], specs, bail: false, testTimeoutMs: CONTROL_LIMIT_MS };
  const result = await worker.ask(request, CONTROL_LIMIT_MS);
  worker.stop();
  for (const { file } of sample) copy.restore(file);
  if (result === undefined || result.failures.length > 0) {
    throw new Error(
      `the unit tests fail without an edit: ${result?.failures.join(', ') ?? 'time limit'}`,
    );
  }
  const reaching = new Map<number, string[]>();
  for (const name of readdirSync(reachedFolder)) {
    const { spec, reached } = JSON.parse(readFileSync(join(reachedFolder, name), 'utf8')) as {
      spec: string;
      reached: number[];
    };
    const path = spec.slice(copy.root.length + 1);
    for (const index of reached) {
      const file = sample[index]?.file ?? '';
      if (!path.startsWith(`test/unit/${roomOf(file)}/`)) continue;
      reaching.set(index, [...(reaching.get(index) ?? []), path]);
    }
  }
  return { reaching, durationMs: (spec) => result.durationsMs[copy.path(spec)] ?? 0 };
}

/** Makes one edit and runs its specs. */
async function runEdit(
  edit: Edit,
  specs: readonly string[],
  durationMs: Control['durationMs'],
): Promise<Outcome> {
  if (specs.length === 0) return 'not reached';
  const durations = specs.map(durationMs);
  const usualMs = durations.reduce((sum, each) => sum + each, 0);
  const limitMs = LIMIT.times * usualMs + LIMIT.plusMs;
  const testTimeoutMs = TEST_LIMIT.times * Math.max(...durations) + TEST_LIMIT.plusMs;
  const [, worker] = workers;
  copy.apply(edit);
  const changed = [copy.path(edit.file)];
  const paths = specs.map((spec) => copy.path(spec));
  const result = await worker.ask({ changed, specs: paths, bail: true, testTimeoutMs }, limitMs);
  copy.restore(edit.file);
  if (result === undefined) return 'time limit';
  return result.failures.length > 0 ? 'killed' : 'survived';
}

const allEdits = copy.edits(prefix).filter((edit) => {
  const line = copy.read(edit.file).split('\n')[edit.line - 1] ?? '';
  return roomOf(edit.file) in MARKS && !isEquivalent(edit, line);
});
const sample = sampleEdits(allEdits, Number(size), seededRandom(Number(seed)));
console.log(`${sample.length} of ${allEdits.length} edits below ${prefix}, seed ${seed}`);
const { reaching, durationMs } = await runControl(sample);
const results: [Edit, Outcome][] = [];
for (const [index, edit] of sample.entries()) {
  const specs = orderSpecs(edit.file, reaching.get(index) ?? [], durationMs);
  const outcome = await runEdit(edit, specs, durationMs);
  results.push([edit, outcome]);
  if (outcome !== 'killed') console.log(`${outcome.padEnd(11)}  ${describeEdit(edit)}`);
  if (index % 20 === 19) console.log(`${index + 1} of ${sample.length}`);
}
console.log('\nroom       killed  survived  not reached   score of reached');
for (const { room, killed, survived, notReached, score, isBelow } of scoreRooms(results)) {
  const percent = `${(100 * score).toFixed(1)} %${isBelow ? `  BELOW ${100 * (MARKS[room] ?? 0)} %` : ''}`;
  console.log(
    `${room.padEnd(10)}${String(killed).padStart(7)}${String(survived).padStart(10)}${String(notReached).padStart(13)}   ${percent}`,
  );
  if (isBelow) process.exitCode = 1;
}
process.exit();
