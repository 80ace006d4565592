/** Finds the real path of the snapshot file, at which only a regular file may be, or nothing yet. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { lstat, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** The number of symbolic links that the kernel follows for one path. */
const MAX_LINKS = 40;

/**
 * Names what is at a path if it is not a regular file; `undefined` if there is a regular file or nothing, or
 * the path cannot be read. Follows links.
 */
export function obstacleAt(path: string): string | undefined {
  try {
    const found = statSync(path);
    return found.isFile() ? undefined : kindOf(found);
  } catch {
    return undefined;
  }
}

/**
 * The text of a regular file. Opening a FIFO would wait for a writer; this function does not wait.
 *
 * @throws Error `ENOENT` and the like, and if the file is not a regular file
 */
export function readRegularFile(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw new Error(`it is ${kindOf(found)}`);
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

/**
 * The path of the file to replace. Follows the links at `path`, so that they are not replaced. The file
 * itself need not exist.
 *
 * @throws Error if the folder does not exist, the links make a circle, or no regular file is there
 */
export async function replaceablePath(path: string): Promise<string> {
  let target = resolve(path);
  for (let followed = 0; followed <= MAX_LINKS; followed++) {
    target = join(await realpath(dirname(target)), basename(target));
    const found = await lstat(target).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined || found.isFile()) return target;
    if (!found.isSymbolicLink()) throw new Error(`it is ${kindOf(found)}`);
    target = resolve(dirname(target), await readlink(target));
  }
  throw new Error('too many symbolic links');
}

interface FileKind {
  isDirectory(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

function kindOf(found: FileKind): string {
  if (found.isDirectory()) return 'a directory';
  if (found.isFIFO()) return 'a FIFO';
  return found.isSocket() ? 'a socket' : 'a device';
}
