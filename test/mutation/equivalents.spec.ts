import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../support/project-root.js';
import { EQUIVALENTS, isEquivalent } from './equivalents.js';
import { type Edit, findEdits } from './find-edits.js';

const root = projectRoot(import.meta.url);

/** The edits of a file that one entry names. */
function named(entry: (typeof EQUIVALENTS)[number]): Edit[] {
  const text = readFileSync(join(root, entry.file), 'utf8');
  const lines = text.split('\n');
  return findEdits(entry.file, text).filter((edit) =>
    isEquivalent(edit, lines[edit.line - 1] ?? '', [entry]),
  );
}

it.each(EQUIVALENTS)('$file still has the edit in "$line", and in one line only', (entry) => {
  expect(new Set(named(entry).map(({ line }) => line)).size).toBe(1);
});

it.each(EQUIVALENTS)('$file has a reason for "$line"', ({ why }) => {
  expect(why.length).toBeGreaterThan(10);
});

describe('isEquivalent', () => {
  const [edit] = findEdits('lib/x.ts', 'if (a < b) c();').filter(
    ({ before }) => before === 'a < b',
  );
  const entry = { file: 'lib/x.ts', line: 'if (a < b)', why: 'an example' };

  it('returns true for every edit of the line, or only for the edit that the entry names', () => {
    const is = (more: object): boolean =>
      isEquivalent(edit!, 'if (a < b) c();', [{ ...entry, ...more }]);
    expect(is({})).toBe(true);
    expect(is({ after: edit?.after })).toBe(true);
    expect(is({ after: 'something else' })).toBe(false);
    expect(is({ line: 'if (b < a)' })).toBe(false);
    expect(is({ file: 'lib/y.ts' })).toBe(false);
  });
});
