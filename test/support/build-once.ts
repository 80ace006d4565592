/** Builds into a folder that is named by the content of its sources: once per content, whoever asks first. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';

/** How long a build that nobody asked for any more is kept, in milliseconds. */
const KEEP_MS = 60 * 60 * 1000;

/**
 * The folder of a build, built now if it is not there. Test workers that ask at the same time each build, and the
 * first to finish wins: a folder appears under its name only when it is whole, and never changes after that.
 *
 * @param parent where the builds of this kind are
 * @param hash what names this one, from `contentHash`
 * @param build fills an empty folder
 */
export async function buildOnce(
  parent: string,
  hash: string,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(parent, hash);
  if (existsSync(folder)) {
    const now = new Date();
    utimesSync(folder, now, now);
    return folder;
  }
  mkdirSync(parent, { recursive: true });
  removeOld(parent);
  const draft = mkdtempSync(join(parent, '.draft-'));
  try {
    await build(draft);
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

function removeOld(parent: string): void {
  for (const name of readdirSync(parent)) {
    const path = join(parent, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats !== undefined && Date.now() - stats.mtimeMs > KEEP_MS) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
