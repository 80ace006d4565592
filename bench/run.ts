/**
 * `npm run bench` lists the benches, `npm run bench -- NAME [PARAMETER...] [--json FILE]` runs one.
 *
 * A bench is a file of this folder that says in its first line what it measures and exports `run():
 * Promise<BenchResult>`. The npm script compiles it, with what it imports, by the package's own compiler into
 * `.cache/bench`, and plain Node runs the result, so that no loader is measured. Benches import the library
 * by its path, `../lib/index.js`.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/support/project-root.js';
import { type BenchModule, encodeResult, formatResult } from './support/bench-result.js';

const folder = join(projectRoot(import.meta.url), 'bench');
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -'.ts'.length));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' } },
});
const [name, ...parameters] = positionals;
if (name === undefined) {
  for (const each of names) console.log(`${each.padEnd(20)}${describeBench(each)}`);
} else if (names.includes(name)) {
  const { run } = (await import(`./${name}.js`)) as BenchModule;
  const result = await run(parameters);
  console.log(formatResult(result));
  if (values.json !== undefined) writeFileSync(values.json, encodeResult(result));
} else {
  console.error(`no such bench: ${name}; there are ${names.join(', ')}`);
  process.exitCode = 1;
}

/** The description of a bench: the first line of the first comment in its file. */
function describeBench(bench: string): string {
  const text = readFileSync(join(folder, `${bench}.ts`), 'utf8');
  return /^\/\*\*\s*(?:\* )?(.+?)(?:\s*\*\/)?$/m.exec(text)?.[1] ?? '';
}
