/** Keeps the last good lists in a file, so that a client can start and call while the registry is away. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Subject, type Observable } from 'rxjs';
import type { DirectoryEvent } from '../../core/discovery-event.js';
import { printableBeginning } from '../../core/printable-text.js';
import { decodeEndpoint } from '../../core/records/endpoint-codec.js';
import type { Endpoint } from '../../core/records/endpoint.js';
import type { Snapshot } from '../../core/snapshot/snapshot.js';
import type { StoredSnapshot } from '../../core/snapshot/stored-snapshot.js';
import type { SnapshotStore } from '../../registry/directory/snapshot-store.js';
import { readRegularFile, replaceablePath } from './snapshot-path.js';
import { describeOtherOrigin } from './snapshot-origin.js';
import { type KeptList, snapshotText, type StoredRecord } from './snapshot-text.js';

/** The version of the file's form. A file of another version is not read. */
const VERSION = 1;
/** How long changes are gathered before the file is written, in milliseconds. */
const WRITE_DELAY_MS = 1_000;
/** How long confirmations, which change only the age of a list, are gathered, in milliseconds. */
const CONFIRM_DELAY_MS = 60_000;

/** The advice to a user whose file belongs to another registry. */
const ONE_EACH = 'Give each etcd and each namespace a snapshotFile of its own';

/** The content of the file. */
interface SnapshotDocument {
  readonly version: number;
  /** The registry of the lists: lists of another registry are not used. */
  readonly registry: string;
  readonly services: Readonly<Record<string, StoredService>>;
}

interface StoredService {
  readonly savedAt: number;
  readonly records: Readonly<Record<string, StoredRecord>>;
}

/**
 * Keeps the lists in one JSON file. The file is replaced as a whole, so a crash leaves the old or the new
 * one.
 */
export class SnapshotFile implements SnapshotStore {
  private readonly services = new Map<string, KeptList>();
  private readonly events = new Subject<DirectoryEvent>();
  private readonly failures = new Set<string>();
  /** The services whose lists were in the file. */
  private found: readonly string[] = [];
  private loaded = false;
  private timer: NodeJS.Timeout | undefined;
  /** The delay for which the timer is set, in milliseconds. */
  private delayMs = 0;
  private writing: Promise<void> = Promise.resolve();

  /**
   * @param file the path; its folder is made when it is not there
   * @param registry identifies the registry ({@link snapshotOrigin})
   */
  constructor(
    readonly file: string,
    private readonly registry: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** The events `snapshot-failed`, one per reason. */
  get events$(): Observable<DirectoryEvent> {
    return this.events.asObservable();
  }

  load(service: string): StoredSnapshot | undefined {
    this.read();
    const stored = this.services.get(service);
    if (stored === undefined) {
      if (this.found.length > 0) this.fail(describeMissing(service, this.found));
      return undefined;
    }
    const { savedAt } = stored;
    if ('current' in stored) return { snapshot: stored.current(), savedAt };
    const snapshot = new Map<string, Endpoint>();
    for (const [key, { value, lease }] of Object.entries(stored.records)) {
      const decoded = decodeEndpoint(Buffer.from(value));
      if (!decoded.ok) continue;
      snapshot.set(key, {
        ...decoded.endpoint,
        ...(lease === undefined ? {} : { incarnation: lease }),
      });
    }
    return { snapshot, savedAt };
  }

  save(service: string, current: () => Snapshot): void {
    this.read();
    this.services.set(service, { savedAt: this.now(), current });
    this.schedule(WRITE_DELAY_MS);
  }

  confirm(service: string): void {
    this.read();
    const stored = this.services.get(service);
    if (stored === undefined) return;
    this.services.set(service, { ...stored, savedAt: this.now() });
    // At the end of the process `flush()` writes the file; until then the age in the file may lag behind.
    this.schedule(CONFIRM_DELAY_MS);
  }

  /** Writes the changes that are not in the file yet. Never rejects. */
  flush(): Promise<void> {
    if (this.timer !== undefined) {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.writing = this.writing.then(() => this.write());
    }
    return this.writing;
  }

  /** Makes sure that the file is written within this time. */
  private schedule(delayMs: number): void {
    if (this.timer !== undefined && this.delayMs <= delayMs) return;
    clearTimeout(this.timer);
    this.delayMs = delayMs;
    this.timer = setTimeout(() => void this.flush(), delayMs).unref();
  }

  private async write(): Promise<void> {
    const { file, registry } = this;
    let draft: string | undefined;
    try {
      await mkdir(dirname(file), { recursive: true });
      const path = await replaceablePath(file);
      // The draft is beside the file, has a random name and must not exist yet: so it is never written
      // through a link or file that another program has made.
      const name = `${path}.${randomUUID()}.tmp`;
      const handle = await open(name, 'wx', 0o600);
      draft = name;
      try {
        await writeFile(
          handle,
          snapshotText({ version: VERSION, registry }, new Map(this.services)),
        );
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, path);
    } catch (error) {
      if (draft !== undefined) await rm(draft, { force: true }).catch(() => {});
      this.fail(`it cannot be written (${reasonOf(error)})`);
    }
  }

  private read(): void {
    if (this.loaded) return;
    this.loaded = true;
    try {
      const document = parseDocument(readRegularFile(this.file));
      // Lists of another registry would send calls to the wrong servers.
      if (document.registry !== this.registry) {
        const difference = describeOtherOrigin(document.registry, this.registry);
        this.fail(
          `it is ignored (its lists are ${difference}; the next list replaces them). ${ONE_EACH}`,
        );
        return;
      }
      this.found = Object.keys(document.services);
      for (const [service, stored] of Object.entries(document.services)) {
        this.services.set(service, stored);
      }
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return;
      this.fail(`it is ignored (${reasonOf(error)})`);
    }
  }

  private fail(reason: string): void {
    if (this.failures.has(reason)) return;
    this.failures.add(reason);
    this.events.next({ type: 'snapshot-failed', file: this.file, reason });
  }
}

function describeMissing(service: string, found: readonly string[]): string {
  const shown = found.slice(0, 5).map((name) => `"${printableBeginning(name, 40)}"`);
  const others = `${shown.join(', ')}${found.length > 5 ? ` and ${found.length - 5} more` : ''}`;
  return `it has no list of service "${service}", only of ${others}; a client keeps a list once the registry has sent it`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** @throws Error if this library did not write the text */
function parseDocument(text: string): SnapshotDocument {
  const document = JSON.parse(text) as Partial<SnapshotDocument> | null;
  if (document?.version !== VERSION) throw new Error('it is not of version 1');
  const { registry, services } = document;
  if (typeof registry !== 'string' || !isRecord(services)) throw new Error('fields are missing');
  for (const stored of Object.values(services)) {
    if (!isRecord(stored) || !isDate(stored.savedAt) || !isRecord(stored.records)) {
      throw new Error('a service in it is malformed');
    }
    for (const record of Object.values(stored.records)) {
      const isWhole =
        isRecord(record) &&
        typeof record.value === 'string' &&
        (record.lease === undefined || typeof record.lease === 'string');
      if (!isWhole) throw new Error('a record in it is malformed');
    }
  }
  return { version: VERSION, registry, services };
}

/** The furthest that a `Date` reaches from 1970, in milliseconds (ECMA-262, time values). */
const LATEST_DATE_MS = 8.64e15;

function isDate(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= LATEST_DATE_MS;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
