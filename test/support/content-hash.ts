/** Names a build by its input: the same input is built once, and no process sees a half-written build. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A short hash over the names and contents of files and of all files in folders; a path that does not exist
 * counts as empty.
 *
 * @param root the folder to which names are relative, so that the hash does not depend on where the checkout
 *   is
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
