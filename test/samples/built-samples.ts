/**
 * The samples as a user builds them: a copy of the checkout, built by its own script, once per content of the
 * sources.
 */
import { cpSync, readdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { buildOnce } from '../support/build-once.js';
import { contentHash } from '../support/content-hash.js';
import { projectRoot } from '../support/project-root.js';
import { runCommand } from '../support/run-command.js';

const root = projectRoot(import.meta.url);
const FILES = ['package.json', 'tsconfig.json', 'tsconfig.build.json'];

/** The folder with everything built; `npm start` and the other scripts work in it. */
export function buildSamples(): Promise<string> {
  const sources = [...FILES, ...sourcesIn('lib'), ...sourcesIn('sample')];
  const hash = contentHash(root, [...sources, 'package-lock.json']);
  return buildOnce(join(root, '.cache/test-samples'), hash, async (folder) => {
    for (const path of sources) cpSync(join(root, path), join(folder, path));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    await runCommand('npm', ['run', '--silent', 'build:samples'], folder);
  });
}

/** Every file in a folder but those that a build in the checkout itself put there. */
function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split('/').includes('dist'));
}
