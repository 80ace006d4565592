import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DirectoryEvent } from '../../../lib/core/discovery-event.js';
import type { Snapshot } from '../../../lib/core/snapshot.js';
import { SnapshotFile } from '../../../lib/nest/snapshot-file.js';
import { validateOptions } from '../../../lib/nest/validate-options.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
  file = join(folder, 'below/lists.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LIST: Snapshot = new Map([
  ['api/a:1', { address: 'a:1', metadata: { weight: 3, zone: 'z' }, incarnation: '7' }],
  ['api/b:1', { address: 'b:1', metadata: null }],
]);

function open(registry = 'etcd '): { store: SnapshotFile; told: DirectoryEvent[] } {
  const store = new SnapshotFile(file, registry, () => 5_000);
  const told: DirectoryEvent[] = [];
  store.events$.subscribe((event) => told.push(event));
  return { store, told };
}

async function write(registry?: string): Promise<void> {
  const { store } = open(registry);
  store.save('api', LIST);
  await store.flush();
}

it('gives back in the next life what was kept in the last', async () => {
  await write();
  const { store, told } = open();
  expect(store.load('api')).toEqual({ snapshot: LIST, savedAt: 5_000 });
  expect(store.load('other')).toBeUndefined();
  expect(told).toEqual([]);
});

it('keeps the services it did not hear of', async () => {
  await write();
  const { store } = open();
  store.save('other', new Map());
  await store.flush();
  expect(open().store.load('api')?.snapshot.size).toBe(2);
});

it('leaves nothing but the file behind', async () => {
  await write();
  expect(readdirSync(join(folder, 'below'))).toEqual(['lists.json']);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 1, registry: 'etcd ' });
});

it('does not mix up registries', async () => {
  await write('etcd staging/');
  expect(open().store.load('api')).toBeUndefined();
});

it('is silent where there is no file yet', () => {
  const { store, told } = open();
  expect(store.load('api')).toBeUndefined();
  expect(told).toEqual([]);
});

it.each([
  ['half a file', '{"version":1,"services":{"api'],
  ['another version', '{"version":2,"registry":"etcd ","services":{}}'],
  ['no services', '{"version":1,"registry":"etcd "}'],
  ['a malformed service', '{"version":1,"registry":"etcd ","services":{"api":{}}}'],
  [
    'a malformed record',
    '{"version":1,"registry":"etcd ","services":{"api":{"savedAt":1,"records":{"k":1}}}}',
  ],
  ['nothing', ''],
  ['null', 'null'],
])('ignores %s, and says so once', async (_, text) => {
  await write();
  writeFileSync(file, text);
  const { store, told } = open();
  expect(store.load('api')).toBeUndefined();
  expect(store.load('api')).toBeUndefined();
  expect(told).toMatchObject([{ type: 'snapshot-failed', file }]);
});

it('goes on where the file cannot be written, and says so once', async () => {
  writeFileSync(join(folder, 'below'), 'a file where the folder should be');
  const { store, told } = open();
  for (let attempt = 0; attempt < 2; attempt++) {
    store.save('api', LIST);
    await store.flush();
  }
  const writes = told.filter((event) => 'reason' in event && event.reason.includes('written'));
  expect(writes).toHaveLength(1);
});

const guard = (removalGuard: unknown) =>
  validateOptions({ removalGuard } as object, {}).removalGuard;

it('the options of guard and file are checked', () => {
  expect(guard(false)).toBeUndefined();
  expect(guard({ maxHoldMs: 5 })).toMatchObject({ maxHoldMs: 5, minShare: 0.5 });
  expect(() => guard(true)).toThrow('option removalGuard is true; allowed: false, or an object');
  expect(() => guard({ minShare: 2 })).toThrow('option removalGuard.minShare is 2; allowed: a num');
  expect(() => guard({ hold: 2 })).toThrow('option removalGuard.hold is 2; allowed: none');
  expect(() => validateOptions({ snapshotFile: '' }, {})).toThrow('option snapshotFile is ""');
});
