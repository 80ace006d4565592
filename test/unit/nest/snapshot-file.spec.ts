import 'reflect-metadata';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DirectoryEvent } from '../../../lib/core/discovery-event.js';
import { endpointWeight, endpointZone } from '../../../lib/core/endpoint.js';
import type { Snapshot } from '../../../lib/core/snapshot.js';
import type { EtcdOptions } from '../../../lib/etcd/etcd-options.js';
import { DiscoveryModule } from '../../../lib/nest/discovery.module.js';
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
  [
    'api/a:1',
    {
      address: 'a:1',
      metadata: { team: 'a' },
      discovery: { weight: 3, zone: 'z' },
      incarnation: '7',
    },
  ],
  ['api/b:1', { address: 'b:1', metadata: null }],
]);

function open(registry = 'etcd '): { store: SnapshotFile; told: DirectoryEvent[] } {
  const store = new SnapshotFile(file, registry, () => 5_000);
  const told: DirectoryEvent[] = [];
  store.events$.subscribe((event) => told.push(event));
  return { store, told };
}

/** Makes an application with these options, and gives its store. */
async function withStore(
  etcd: EtcdOptions,
  use: (store: SnapshotFile) => void | Promise<void>,
): Promise<void> {
  const root = DiscoveryModule.forRoot({ etcd, snapshotFile: file });
  const app = await NestFactory.createApplicationContext(root, { logger: false });
  await use(app.get(SnapshotFile, { strict: false }));
  await app.close();
}

async function write(registry?: string): Promise<void> {
  const { store } = open(registry);
  store.save('api', () => LIST);
  await store.flush();
}

it('gives back in the next life what was kept in the last', async () => {
  await write();
  const { store, told } = open();
  expect(store.load('api')).toEqual({ snapshot: LIST, savedAt: 5_000 });
  expect(store.load('other')).toBeUndefined();
  expect(told).toEqual([]);
});

it('reads the lists of versions whose records had weight and zone in their metadata', async () => {
  await write();
  const value = '{"Op":0,"Addr":"a:1","Metadata":{"weight":3,"zone":"z"}}';
  const services = { api: { savedAt: 5_000, records: { 'api/a:1': { value, lease: '7' } } } };
  writeFileSync(file, JSON.stringify({ version: 1, registry: 'etcd ', services }));
  const { store, told } = open();
  const [endpoint] = store.load('api')?.snapshot.values() ?? [];
  expect(endpoint).toEqual({
    address: 'a:1',
    metadata: { weight: 3, zone: 'z' },
    incarnation: '7',
  });
  expect(endpoint && [endpointWeight(endpoint), endpointZone(endpoint)]).toEqual([3, 'z']);
  expect(told).toEqual([]);
});

it('keeps the services it did not hear of', async () => {
  await write();
  const { store } = open();
  store.save('other', () => new Map());
  await store.flush();
  expect(open().store.load('api')?.snapshot.size).toBe(2);
});

describe('a list that the registry says again', () => {
  afterEach(() => vi.useRealTimers());

  it('is as old as that', async () => {
    await write();
    let now = 9_000;
    const store = new SnapshotFile(file, 'etcd ', () => now);
    store.confirm('api');
    store.confirm('never heard of');
    now = 10_000;
    await store.flush();
    expect(open().store.load('api')).toEqual({ snapshot: LIST, savedAt: 9_000 });
    expect(open().store.load('never heard of')).toBeUndefined();
  });

  it('is written once a minute, and does not put off a change', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const savedAt = () => JSON.parse(readFileSync(file, 'utf8')).services.api.savedAt as number;
    let now = 0;
    const store = new SnapshotFile(file, 'etcd ', () => now);
    store.save('api', () => LIST);
    store.confirm('api');
    vi.advanceTimersByTime(1_000);
    await store.flush();
    expect(savedAt()).toBe(0);
    for (let second = 0; second < 60; second++) {
      expect(savedAt()).toBe(0);
      now += 1_000;
      store.confirm('api');
      vi.advanceTimersByTime(1_000);
    }
    await store.flush();
    expect(savedAt()).toBe(60_000);
    now = 61_000;
    store.confirm('api');
    store.save('api', () => LIST);
    vi.advanceTimersByTime(1_000);
    await store.flush();
    expect(savedAt()).toBe(61_000);
  });
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

it('is of the etcd whose hosts it was made with, in whichever order', async () => {
  await withStore({ hosts: ['http://a:1', 'http://b:1'] }, (store) =>
    store.save('api', () => LIST),
  );
  const kept: boolean[] = [];
  for (const etcd of [
    { hosts: ['http://b:1', 'http://a:1'] },
    { hosts: ['http://c:1'] },
    { hosts: ['http://a:1', 'http://b:1'], namespace: 'staging/' },
  ]) {
    await withStore(etcd, (store) => {
      kept.push(store.load('api') !== undefined);
    });
  }
  expect(kept).toEqual([true, false, false]);
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
    store.save('api', () => LIST);
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
