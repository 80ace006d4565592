/** Keeps the content of a member in a file, as JSON with keys and values in base64. */
import { access, constants, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DiscoveryError } from '../../core/discovery-error.js';
import { toByteKey } from './store/byte-range.js';
import type { KeyVersion } from './store/kv-store.js';
import { MAX_LEASE_TTL_SECONDS } from './store/lease-book.js';
import type { MemberContent } from './member.js';

/** The version of the file's layout; files of other versions are refused. */
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

/**
 * Writes the file under a temporary name and renames it, so that the real name never has a half-written file.
 *
 * @throws DiscoveryError `INVALID_OPTION` if it cannot be written
 */
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
  try {
    await writeFile(temporary, JSON.stringify(file));
    await rename(temporary, path);
  } catch (error) {
    throw unusable(path, error, 'what the embedded etcd held is lost');
  }
}

/**
 * Reads the file.
 *
 * @returns `undefined` if there is none
 * @throws DiscoveryError `INVALID_OPTION` if it cannot be read, is not such a file, or its folder cannot be
 *   written to
 */
export async function loadDataFile(path: string): Promise<MemberContent | undefined> {
  try {
    // An error at stop() would come too late: the content would be lost.
    await access(dirname(path), constants.W_OK);
    const text = await readExisting(path);
    return text === undefined ? undefined : parseContent(text);
  } catch (error) {
    throw unusable(path, error, 'the embedded etcd was not started');
  }
}

async function readExisting(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseContent(text: string): MemberContent {
  const file = JSON.parse(text) as FileContent;
  if (file?.format !== FORMAT) throw new Error(`format ${file?.format}, known is ${FORMAT}`);
  const wrong = Object.entries(FIELDS).find(([name, fits]) => !fits(Reflect.get(file, name)));
  if (wrong !== undefined) throw new Error(`its field ${wrong[0]} is malformed`);
  const { clusterId, memberId, leases, revision, compactRevision } = file;
  const versions = file.versions.map(toVersion);
  return { clusterId, memberId, leases, store: { revision, compactRevision, versions } };
}

type Check = (value: unknown) => boolean;
const isId: Check = (value) => typeof value === 'string' && /^\d{1,20}$/.test(value);
const isText: Check = (value) => typeof value === 'string';
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= -1;
const isFlag: Check = (value) => typeof value === 'boolean';
const isLease: Check = (value) =>
  typeof value === 'object' &&
  value !== null &&
  isId(Reflect.get(value, 'id')) &&
  isTtl(Reflect.get(value, 'ttlSeconds'));
const isTtl: Check = (value) =>
  typeof value === 'number' && value > 0 && value <= MAX_LEASE_TTL_SECONDS;
const COLUMNS: readonly Check[] = [isText, isText, isCount, isCount, isCount, isId, isFlag];
const isRow: Check = (value) =>
  Array.isArray(value) && COLUMNS.every((fits, index) => fits(value[index]));
const listOf =
  (fits: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(fits);

const areDistinct = (leases: MemberContent['leases']): boolean =>
  new Set(leases.map(({ id }) => id)).size === leases.length;

/** The check of each field of a file. */
const FIELDS: Readonly<Record<Exclude<keyof FileContent, 'format'>, Check>> = {
  clusterId: isId,
  memberId: isId,
  leases: (value) => listOf(isLease)(value) && areDistinct(value as MemberContent['leases']),
  revision: isCount,
  compactRevision: isCount,
  versions: listOf(isRow),
};

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

function unusable(path: string, cause: unknown, consequence: string): DiscoveryError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const detail = `dataFile: ${path} cannot be used (${reason}), ${consequence}`;
  return new DiscoveryError('INVALID_OPTION', detail, { cause });
}
