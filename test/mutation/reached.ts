/** A setup file of vitest: notes which probes a spec reaches (`add-probes`), where the run asks for it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';

const folder = process.env['REACHED_FOLDER'];
const seen = new Set<number>();
Object.assign(globalThis, { reached: (index: number): unknown => seen.add(index) });

if (folder !== undefined) {
  afterAll(() => {
    const spec = expect.getState().testPath ?? '';
    const name = spec.replaceAll(/[^\w.]/g, '_');
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ spec, reached: [...seen] }));
  });
}
