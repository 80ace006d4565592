/** Builds into a folder that is named by the content of its sources: once per content, whoever asks first. */
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

/** How long a build that nobody asked for any more is kept, in milliseconds. */
const KEEP_MS = 60 * 60 * 1000;
/** How often it is looked whether another worker's build is there, in milliseconds. */
const LOOK_MS = 50;

/**
 * The folder of a build, built now if it is not there. Of test workers that ask at the same time the first
 * one builds, and the others wait for it: a folder appears under its name only when it is whole, and never
 * changes after that.
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
  mkdirSync(parent, { recursive: true });
  const lock = join(parent, `.${hash}.lock`);
  while (!existsSync(folder)) {
    if (!takeLock(lock)) {
      await pause(LOOK_MS);
      continue;
    }
    try {
      // The one before may have finished in between.
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
 * Takes the lock if it is free, or if the process that had it has died. Returns whether this process has it
 * now.
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
    // Written a moment after it was made.
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
