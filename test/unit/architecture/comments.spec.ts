/** Holds comments to a width that fits two files side by side: prettier leaves comments as they are. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** The longest line of a comment, in characters. */
const MOST_COLUMNS = 110;

const root = new URL('../../../', import.meta.url).pathname;
const files = ['bench', 'lib', 'sample', 'test']
  .flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).map(
      (path) => `${folder}/${path.replaceAll('\\', '/')}`,
    ),
  )
  .filter((path) => path.endsWith('.ts') && !/\/(node_modules|dist)\//.test(path));

/** `FILE:LINE` of every line of a comment that is too wide. */
function tooWide(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const isComment = /^\s*(?:\/\*|\*|\/\/)/.test(line);
    return isComment && line.length > MOST_COLUMNS ? [`${path}:${index + 1}`] : [];
  });
}

describe('a comment', () => {
  it(`has at most ${MOST_COLUMNS} columns`, () => {
    expect(files.flatMap((path) => tooWide(path, readFileSync(`${root}${path}`, 'utf8')))).toEqual(
      [],
    );
  });

  it('is found in blocks and lines, and not in texts of the code', () => {
    const wide = 'x'.repeat(MOST_COLUMNS);
    const text = `/** ${wide} */\n * ${wide}\n  // ${wide}\nconst text = '${wide}';\n// ${'x'.repeat(107)}`;
    expect(tooWide('a.ts', text)).toEqual(['a.ts:1', 'a.ts:2', 'a.ts:3']);
  });
});
