/** Finds the checkout, for code that runs from its sources or compiled, in a folder below the checkout. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The nearest folder above a module that has a lockfile; folders of compiled code have at most a
 * package.json.
 *
 * @param url the module's `import.meta.url`
 */
export function projectRoot(url: string): string {
  let folder = dirname(fileURLToPath(url));
  while (!existsSync(join(folder, 'package-lock.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`${url} is not in a checkout: no package-lock.json`);
    folder = parent;
  }
  return folder;
}
