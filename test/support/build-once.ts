/** Builds into a folder that has the hash of the sources as its name: one build for the same sources. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** How long a build is kept after its last use, in milliseconds. */
const KEEP_MS = 60 * 60 * 1000;
/** How often a test worker checks whether the build of another worker is finished, in milliseconds. */
const LOOK_MS = 50;

/**
 * The folder of a build, built now if it does not exist. If several test workers ask at the same time, the
 * first one builds, and the others wait. The folder gets its name only when it is complete, and never changes
 * after that.
 *
 * @param parent the folder of all builds of this kind
 * @param hash the name of this build, from `contentHash`
 * @param build fills an empty folder
 */
export async function buildOnce(
  parent: string,
  hash: string,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(parent, hash);
  mkdirSync(parent, { recursive: true });
  const lock = join(parent, `.${hash}.lock`);
  while (!existsSync(folder)) {
    if (!takeLock(lock)) {
      await pause(LOOK_MS);
      continue;
    }
    try {
      // The worker that had the lock before may have finished the build.
      if (!existsSync(folder)) await buildInto(folder, parent, build);
    } finally {
      rmSync(lock, { force: true });
    }
  }
  const now = new Date();
  utimesSync(folder, now, now);
  return folder;
}

async function buildInto(
  folder: string,
  parent: string,
  build: (folder: string) => Promise<void>,
): Promise<void> {
  removeOld(parent);
  const draft = mkdtempSync(join(parent, '.draft-'));
  try {
    await build(draft);
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

/**
 * Takes the lock if it is free; frees the lock of a dead process. Returns whether this process has it now.
 */
function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (!isHeld(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function isHeld(lock: string): boolean {
  try {
    const owner = Number(readFileSync(lock, 'utf8'));
    // Its owner writes the lock a moment after it creates the file: until then the file is empty, and the
    // lock is held.
    return owner === 0 || process.kill(owner, 0);
  } catch {
    return false;
  }
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
