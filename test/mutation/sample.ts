/** Which edits are run, against which specs, and what the results say. */
import { posix } from 'node:path';
import type { Random } from '../../lib/core/clock.js';
import type { Edit } from './find-edits.js';

/** The score that each room's reached edits should have, 0–1. */
export const MARKS: Readonly<Record<string, number>> = {
  core: 0.92,
  balance: 0.92,
  registry: 0.92,
  grpc: 0.85,
  nest: 0.85,
};

/** So many specs run per edit at most, the nearest ones. */
export const MOST_SPECS = 16;

/** A room may be below its mark by what a sample of its size is, at this probability, by chance. */
const CHANCE = 0.01;

/** What became of an edit. `time limit` counts as killed: tests that never end notice the edit as well. */
export type Outcome = 'killed' | 'time limit' | 'survived' | 'not reached';

/** The room of a file: `core` of `lib/core/backoff.ts`. */
export function roomOf(file: string): string {
  return file.split('/')[1] ?? '';
}

/** `size` edits, as many of each room that has a mark, where it has as many. */
export function sampleEdits(edits: readonly Edit[], size: number, random: Random): Edit[] {
  const pools = Object.keys(MARKS)
    .map((room) =>
      shuffle(
        edits.filter(({ file }) => roomOf(file) === room),
        random,
      ),
    )
    .filter((pool) => pool.length > 0);
  const sample: Edit[] = [];
  while (sample.length < size && pools.some((pool) => pool.length > 0)) {
    for (const pool of pools) {
      const edit = pool.pop();
      if (edit !== undefined && sample.length < size) sample.push(edit);
    }
  }
  return sample.sort((a, b) => (a.file === b.file ? a.start - b.start : a.file < b.file ? -1 : 1));
}

/** The specs to run for an edit of `file`: the one that mirrors it, then by folder, then the fast ones. */
export function orderSpecs(
  file: string,
  reaching: readonly string[],
  durationMs: (spec: string) => number,
): readonly string[] {
  const folder = posix.dirname(file).replace(/^lib/, 'test/unit');
  const name = posix.basename(file, '.ts');
  const distance = (spec: string): number => {
    if (posix.dirname(spec) !== folder) return 2;
    return posix.basename(spec).startsWith(`${name}.`) ? 0 : 1;
  };
  return [...reaching]
    .sort((a, b) => distance(a) - distance(b) || durationMs(a) - durationMs(b))
    .slice(0, MOST_SPECS);
}

/** One room's line of the report. */
export interface RoomScore {
  readonly room: string;
  readonly killed: number;
  readonly survived: number;
  readonly notReached: number;
  /** Of the reached edits, 0–1. */
  readonly score: number;
  /** Whether the sample shows that the room is below its mark. */
  readonly isBelow: boolean;
}

/** The scores of all rooms that have edits in the sample. */
export function scoreRooms(results: readonly (readonly [Edit, Outcome])[]): readonly RoomScore[] {
  return Object.entries(MARKS).flatMap(([room, mark]) => {
    const own = results.filter(([{ file }]) => roomOf(file) === room);
    if (own.length === 0) return [];
    const count = (outcome: Outcome): number => own.filter(([, one]) => one === outcome).length;
    const [killed, survived, notReached] = [
      count('killed') + count('time limit'),
      count('survived'),
      count('not reached'),
    ];
    const reached = killed + survived;
    const score = reached === 0 ? 1 : killed / reached;
    const isBelow = chanceOfAtLeast(survived, reached, 1 - mark) < CHANCE;
    return [{ room, killed, survived, notReached, score, isBelow }];
  });
}

/** The probability of `least` or more successes in `trials`, each of probability `p`. */
export function chanceOfAtLeast(least: number, trials: number, p: number): number {
  let term = (1 - p) ** trials;
  let below = 0;
  for (let successes = 0; successes < least; successes++) {
    below += term;
    term *= ((trials - successes) / (successes + 1)) * (p / (1 - p));
  }
  return Math.max(0, 1 - below);
}

/** Source: Fisher and Yates, in Durstenfeld's form, CACM 7 (1964). */
function shuffle<T>(given: readonly T[], random: Random): T[] {
  const all = [...given];
  for (let last = all.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [all[last], all[other]] = [all[other] as T, all[last] as T];
  }
  return all;
}
