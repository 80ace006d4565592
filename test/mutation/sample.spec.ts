import { describe, expect, it } from 'vitest';
import { seededRandom } from '../support/seeded-random.js';
import type { Edit } from './find-edits.js';
import { chanceOfAtLeast, orderSpecs, type Outcome, sampleEdits, scoreRooms } from './sample.js';

function edit(file: string, start = 0): Edit {
  return { file, line: 1, start, end: start, before: '', after: ';', isStatement: true };
}

describe('a sample', () => {
  const all = ['core', 'core', 'core', 'core', 'nest', 'etcd'].map((room, at) =>
    edit(`lib/${room}/x.ts`, at),
  );

  it('takes edits of each room with a mark in turn, until it has the requested number or no edit is left', () => {
    const rooms = sampleEdits(all, 4, seededRandom(1)).map(({ file }) => file.split('/')[1]);
    expect(rooms).toEqual(['core', 'core', 'core', 'nest']);
    expect(sampleEdits(all, 100, seededRandom(1))).toHaveLength(5);
  });

  it('is the same for the same seed, and differs for another seed', () => {
    const many = Array.from({ length: 100 }, (_, at) => edit('lib/core/x.ts', at));
    const draw = (seed: number) => sampleEdits(many, 10, seededRandom(seed));
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });
});

const durationMs = (spec: string) => (spec.includes('slow') ? 9 : 1);

it('specs run from the nearest to the farthest, the fast ones first', () => {
  const specs = [
    'test/unit/core/backoff.spec.ts',
    'test/unit/core/lease/slow.spec.ts',
    'test/unit/core/lease/fast.spec.ts',
    'test/unit/core/lease/lease-machine.retries.spec.ts',
  ];
  expect(orderSpecs('lib/core/lease/lease-machine.ts', specs, durationMs)).toEqual([
    'test/unit/core/lease/lease-machine.retries.spec.ts',
    'test/unit/core/lease/fast.spec.ts',
    'test/unit/core/lease/slow.spec.ts',
    'test/unit/core/backoff.spec.ts',
  ]);
});

function results(killed: number, survived: number, notReached = 0): [Edit, Outcome][] {
  const outcomes: Outcome[] = [
    ...Array<Outcome>(killed).fill('killed'),
    ...Array<Outcome>(survived).fill('survived'),
    ...Array<Outcome>(notReached).fill('not reached'),
  ];
  return outcomes.map((outcome) => [edit('lib/core/x.ts'), outcome]);
}

describe('the score of a room', () => {
  it('counts only the edits that a spec reaches', () => {
    expect(scoreRooms(results(9, 1, 5))).toEqual([
      { room: 'core', killed: 9, survived: 1, notReached: 5, score: 0.9, isBelow: false },
    ]);
  });

  it.each([
    // 92 % is the mark.
    [12, 0, false],
    [8, 4, false],
    [7, 5, true],
    [92, 8, false],
    [86, 14, false],
    [84, 16, true],
  ])(
    'with %i killed and %i surviving edits is below the mark by more than chance: %s',
    (killed, left, below) => {
      expect(scoreRooms(results(killed, left))[0]?.isBelow).toBe(below);
    },
  );
});

it('the chance of two or more sixes in three throws is 7.4 %', () => {
  expect(chanceOfAtLeast(2, 3, 1 / 6)).toBeCloseTo(16 / 216, 10);
  expect(chanceOfAtLeast(0, 3, 1 / 6)).toBe(1);
});
