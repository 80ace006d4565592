/** Keeps what a member holds in a file, as JSON with keys and values in base64. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { DiscoveryError } from '../core/discovery-error.js';
import { toByteKey } from './byte-range.js';
import type { KeyVersion } from './kv-store.js';
import type { MemberContent } from './member.js';

/** The layout this code writes; another one is refused. */
const FORMAT = 1;

interface FileContent extends Omit<MemberContent, 'store'> {
  readonly format: number;
  readonly revision: number;
  readonly compactRevision: number;
  /** Key, value, create revision, mod revision, version, lease, deleted. */
  readonly versions: readonly (readonly [
    string,
    string,
    number,
    number,
    number,
    string,
    boolean,
  ])[];
}

/** Writes the file: to a name beside it first, so that no half-written file ever bears the name. */
export async function saveDataFile(path: string, content: MemberContent): Promise<void> {
  const { store, ...rest } = content;
  const file: FileContent = {
    format: FORMAT,
    ...rest,
    revision: store.revision,
    compactRevision: store.compactRevision,
    versions: store.versions.map(toRow),
  };
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, JSON.stringify(file));
  await rename(temporary, path);
}

/**
 * Reads the file.
 *
 * @returns `undefined` if there is none
 * @throws DiscoveryError `INVALID_OPTION` if it cannot be read or is not such a file
 */
export async function loadDataFile(path: string): Promise<MemberContent | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
  try {
    const file = JSON.parse(text) as FileContent;
    if (file.format !== FORMAT) throw new Error(`format ${file.format}, known is ${FORMAT}`);
    const { clusterId, memberId, leases, revision, compactRevision } = file;
    const versions = file.versions.map(toVersion);
    return { clusterId, memberId, leases, store: { revision, compactRevision, versions } };
  } catch (error) {
    throw unusable(path, error);
  }
}

function toRow(version: KeyVersion): FileContent['versions'][number] {
  const { createRevision, modRevision, lease, deleted } = version;
  const [key, value] = [toBase64(version.key), toBase64(version.value)];
  return [key, value, createRevision, modRevision, version.version, lease, deleted];
}

function toVersion(row: FileContent['versions'][number]): KeyVersion {
  const [key64, value64, createRevision, modRevision, version, lease, deleted] = row;
  const key = Buffer.from(key64, 'base64');
  const value = Buffer.from(value64, 'base64');
  return {
    byteKey: toByteKey(key),
    key,
    value,
    createRevision,
    modRevision,
    version,
    lease,
    deleted,
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function unusable(path: string, cause: unknown): DiscoveryError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const detail = `dataFile: ${path} cannot be used (${reason}), the embedded etcd was not started`;
  return new DiscoveryError('INVALID_OPTION', detail, { cause });
}
