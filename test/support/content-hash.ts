/**
 * Names a build by what went into it, so that a build is done once, and no process ever sees one half
 * written.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A short hash over the names and contents of files and of all files in folders; what does not exist counts
 * as empty.
 *
 * @param root what the names are relative to, so that the hash does not depend on where the checkout lies
 */
export function contentHash(root: string, paths: readonly string[]): string {
  const hash = createHash('sha256');
  const add = (path: string): void => {
    const stats = statSync(join(root, path), { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (stats.isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) add(`${path}/${name}`);
      return;
    }
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  };
  paths.forEach(add);
  return hash.digest('hex').slice(0, 16);
}
