import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { addProbes, applyEdit, describeEdit, findEdits } from './find-edits.js';

/** The texts that the edits of a source make of it. */
const edited = (text: string): string[] =>
  findEdits('lib/x.ts', text).map((edit) => applyEdit(text, edit));

/** What the edits make of one expression. */
function expressions(text: string): string[] {
  const before = 'const x = ';
  return edited(`${before}${text};`).map((all) => all.slice(before.length, -1));
}

describe('findEdits', () => {
  it.each<[string, string[]]>([
    ['a < b', ['((a) <= (b))']],
    ['a >= b', ['((a) > (b))']],
    ['a === b', ['((a) !== (b))']],
    ['a && b', ['((a) || (b))']],
    ['a ?? b', ['((a) && (b))']],
    ['a + b', ['((a) - (b))']],
    ['a % b', ['((a) * (b))']],
    ['!a', ['a']],
    ['true', ['false']],
    ['7', ['8', '6']],
    ['0', ['1', '(-1)']],
    ['30_000', ['60000', '15000']],
    ['a ? b : c', ['true ? b : c', 'false ? b : c']],
    ['list.filter(isFree)', ['(list)']],
    ['Math.min(a, b)', ['Math.max(a, b)']],
    ['list.some(isFree)', ['list.every(isFree)']],
    ['{ ...a, b }', ['{ ...{}, b }']],
  ])('changes %s', (text, expected) => {
    expect(expressions(text)).toEqual(expected);
  });

  it.each([
    ["a + 'text'"],
    ['`${a}` + b + c'],
    ["'text'"],
    ['a?.list.filter(isFree)'],
    ['{ 1: a }'],
    ['a as 5'],
  ])('leaves %s alone', (text) => {
    expect(expressions(text)).toEqual([]);
  });

  it('removes statements, and returns early from functions that return nothing', () => {
    expect(edited('function f() { a(); b = c; }')).toEqual([
      'function f() { return; a(); b = c; }',
      'function f() { ; b = c; }',
      'function f() { a(); ; }',
    ]);
  });

  it('replaces a returned value by undefined', () => {
    expect(edited('function f() { a(); return b; }')).toEqual([
      'function f() { ; return b; }',
      'function f() { a(); return undefined; }',
    ]);
  });

  it('replaces a condition by true and by false, and the condition of a loop only by false', () => {
    expect(edited('if (a) b;')).toEqual(['if (true) b;', 'if (false) b;', 'if (a) ;']);
    expect(edited('while (a);')).toEqual(['while (false);']);
  });

  it('leaves imports, types and decorators alone', () => {
    const text = "import { a } from 'a';\ntype B = 1 | 2;\n@C(1) class D { e?: 3; }";
    expect(edited(text)).toEqual([]);
  });
});

const run = (source: string) => {
  const reached = new Set<number>();
  const code = `${ts.transpile(source)}; return result;`;
  const result: unknown = new Function('reached', code)((index: number) => reached.add(index));
  return { result, reached };
};

describe('addProbes', () => {
  it('adds a call before each edited place, and changes nothing else', () => {
    const text = `
      const list = [3, 1, 2];
      let sum = 0;
      function add(value: number) { sum += value; if (value > 1 && sum < 5) sum++; }
      list.sort().forEach(add);
      const result = (list.at(-1) ?? 7) * 2 + sum;`;
    const edits = findEdits('lib/x.ts', text);
    const probed = addProbes(text, new Map(edits.map((edit, index) => [index, edit])));
    expect(run(probed).result).toBe(run(text).result);
    // The right side of `??` is never evaluated here.
    const missed = [...edits.keys()].filter((index) => !run(probed).reached.has(index));
    expect(missed.map((index) => edits[index]?.before)).toEqual(['7', '7']);
  });
});

it('the description of an edit has the place, the old code and the new code', () => {
  const text = 'a();\nconst b = c +\n  d;';
  expect(findEdits('lib/x.ts', text).map(describeEdit)).toEqual([
    'lib/x.ts:1  a();  ->  (removed)',
    'lib/x.ts:2  c + d  ->  ((c) - (d))',
  ]);
});
