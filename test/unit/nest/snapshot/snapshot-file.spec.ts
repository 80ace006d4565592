import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DirectoryEvent } from '../../../../lib/core/discovery-event.js';
import { endpointWeight, endpointZone } from '../../../../lib/core/records/endpoint.js';
import type { Snapshot } from '../../../../lib/core/snapshot/snapshot.js';
import type { EtcdOptions } from '../../../../lib/etcd/etcd-options.js';
import { DiscoveryModule } from '../../../../lib/nest/discovery.module.js';
import { SnapshotFile } from '../../../../lib/nest/snapshot/snapshot-file.js';
import { validateOptions } from '../../../../lib/nest/options/validate-options.js';

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

/** Makes an application with these options, and returns its store. */
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

it('a process reads the lists that another process wrote into the snapshot file', async () => {
  await write();
  const { store, told } = open();
  expect(store.load('api')).toEqual({ snapshot: LIST, savedAt: 5_000 });
  expect(told).toEqual([]);
});

it('a process reads the snapshot file of a version whose records had weight and zone in their metadata', async () => {
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

it('a snapshot file keeps the lists of services that the process has not updated', async () => {
  await write();
  const { store } = open();
  store.save('other', () => new Map());
  await store.flush();
  expect(open().store.load('api')?.snapshot.size).toBe(2);
});

describe('a list that the registry confirms', () => {
  afterEach(() => vi.useRealTimers());

  it('has the time of the confirmation as its age', async () => {
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

  it('is written once a minute, but a change is written after a second', async () => {
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

it('writing a snapshot file leaves no draft beside it', async () => {
  await write();
  expect(readdirSync(join(folder, 'below'))).toEqual(['lists.json']);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 1, registry: 'etcd ' });
});

it('lists in a snapshot file are not used for another registry', async () => {
  await write('etcd http://a:1 staging/');
  const { store, told } = open('etcd http://b:1 prod/');
  expect(store.load('api')).toBeUndefined();
  expect(store.load('api')).toBeUndefined();
  expect(told).toEqual([
    {
      type: 'snapshot-failed',
      file,
      reason:
        'it is ignored (its lists are of etcd.hosts ["http://a:1"], not ["http://b:1"] and of etcd.namespace "staging/", not "prod/"; the next list replaces them). Give each etcd and each namespace a snapshotFile of its own',
    },
  ]);
});

it('the warning about a missing service names the services in the file', async () => {
  await write();
  const { store, told } = open();
  expect(store.load('other')).toBeUndefined();
  expect(told).toMatchObject([
    {
      type: 'snapshot-failed',
      reason: expect.stringContaining('it has no list of service "other", only of "api"; '),
    },
  ]);
});

it('lists in a snapshot file are used for an etcd with the same hosts, in any order', async () => {
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

it('a missing snapshot file causes no warning', () => {
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
  [
    'an age that is not a number',
    '{"version":1,"registry":"etcd ","services":{"api":{"savedAt":"now","records":{}}}}',
  ],
  [
    'an age that is infinite',
    '{"version":1,"registry":"etcd ","services":{"api":{"savedAt":1e400,"records":{}}}}',
  ],
  [
    'an age outside the range of dates',
    '{"version":1,"registry":"etcd ","services":{"api":{"savedAt":8.64e15001,"records":{}}}}',
  ],
  [
    'an age one millisecond outside the range of dates',
    '{"version":1,"registry":"etcd ","services":{"api":{"savedAt":8640000000000001,"records":{}}}}',
  ],
  ['a list of services', '{"version":1,"registry":"etcd ","services":[]}'],
  ['a registry that is no text', '{"version":1,"registry":7,"services":{}}'],
  ['a service that is null', '{"version":1,"registry":"etcd ","services":{"api":null}}'],
  ...['null', '{}', '{"value":1}', '{"value":"x","lease":1}'].map((record) => [
    `the record ${record}`,
    `{"version":1,"registry":"etcd ","services":{"api":{"savedAt":1,"records":{"k":${record}}}}}`,
  ]),
  ['nothing', ''],
  ['null', 'null'],
])('the snapshot file is ignored with one warning if it holds %s', async (_, text) => {
  await write();
  writeFileSync(file, text);
  const { store, told } = open();
  expect(store.load('api')).toBeUndefined();
  expect(store.load('api')).toBeUndefined();
  expect(told).toMatchObject([{ type: 'snapshot-failed', file }]);
});

it.each([0, 8_640_000_000_000_000, -8_640_000_000_000_000])(
  'the snapshot file may hold any age that is a date: %d',
  async (savedAt) => {
    await write();
    const services = { api: { savedAt, records: {} } };
    writeFileSync(file, JSON.stringify({ version: 1, registry: 'etcd ', services }));
    const { store, told } = open();
    expect(store.load('api')).toEqual({ snapshot: new Map(), savedAt });
    expect(told).toEqual([]);
  },
);

it('a record of the snapshot file that no client could dial is left out, and the others are used', async () => {
  await write();
  const records = {
    'api/a:1': { value: '{"Op":0,"Addr":"a:1"}' },
    'api/b': { value: 'no JSON' },
  };
  const services = { api: { savedAt: 1, records } };
  writeFileSync(file, JSON.stringify({ version: 1, registry: 'etcd ', services }));
  const { snapshot } = open().store.load('api') ?? {};
  expect([...(snapshot ?? [])]).toEqual([['api/a:1', { address: 'a:1', metadata: null }]]);
});

it.each<[number, string]>([
  [5, '"s0", "s1", "s2", "s3", "s4"'],
  [6, '"s0", "s1", "s2", "s3", "s4" and 1 more'],
  [7, '"s0", "s1", "s2", "s3", "s4" and 2 more'],
])('the warning about a missing service of %d names five at most', async (count, names) => {
  const { store } = open();
  for (let at = 0; at < count; at++) store.save(`s${at}`, () => LIST);
  await store.flush();
  const next = open();
  next.store.load('other');
  expect(next.told).toMatchObject([
    {
      reason: `it has no list of service "other", only of ${names}; a client keeps a list once the registry has sent it`,
    },
  ]);
});

it('the warning about a missing service shows 40 characters of a long name in the file', async () => {
  const name = 'x'.repeat(40);
  const { store } = open();
  for (const service of [name, `${name}y`]) store.save(service, () => LIST);
  await store.flush();
  const next = open();
  next.store.load('other');
  expect(next.told).toMatchObject([
    { reason: expect.stringContaining(`only of "${name}", "${name}…";`) },
  ]);
});

it('a list that the process itself has saved is loaded as it is at that moment', () => {
  const { store } = open();
  let list: Snapshot = LIST;
  store.save('api', () => list);
  list = new Map();
  expect(store.load('api')).toEqual({ snapshot: new Map(), savedAt: 5_000 });
});

it('a snapshot file without an own clock has the time of day as its age', async () => {
  const before = Date.now();
  const store = new SnapshotFile(file, 'etcd ');
  store.save('api', () => LIST);
  await store.flush();
  const savedAt = open().store.load('api')?.savedAt ?? 0;
  expect(savedAt).toBeGreaterThanOrEqual(before);
  expect(savedAt).toBeLessThanOrEqual(Date.now());
});

it('a list that the process has saved takes the place of the one in the file', async () => {
  await write();
  const { store } = open();
  store.save('api', () => new Map());
  expect(store.load('api')?.snapshot.size).toBe(0);
  expect(store.load('api')?.snapshot.size).toBe(0);
});

it.each([
  [new Error('broken list'), 'broken list'],
  ['no list', 'no list'],
])(
  'a list that cannot be read leaves no draft, and the warning says why: %s',
  async (error, text) => {
    const { store, told } = open();
    store.save('api', () => {
      throw error;
    });
    await store.flush();
    expect(readdirSync(join(folder, 'below'))).toEqual([]);
    expect(told).toMatchObject([{ reason: `it cannot be written (${text})` }]);
  },
);

it.each([
  [40, true],
  [41, false],
])('a chain of %d symbolic links to a snapshot file is followed: %s', async (count, isFollowed) => {
  mkdirSync(join(folder, 'below'));
  const links = [file, ...Array.from({ length: count - 1 }, (_, at) => join(folder, `link${at}`))];
  const target = join(folder, 'target');
  links.forEach((link, at) => symlinkSync(links[at + 1] ?? target, link));
  const { store, told } = open();
  store.save('api', () => LIST);
  await store.flush();
  expect(told.filter((event) => JSON.stringify(event).includes('written'))).toHaveLength(
    isFollowed ? 0 : 1,
  );
  expect(readdirSync(folder).includes('target')).toBe(isFollowed);
});

it('one timer at a time waits to write a snapshot file, and it does not keep the process alive', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const unref = vi.spyOn(globalThis, 'setTimeout');
  const { store } = open();
  store.save('api', () => LIST);
  store.confirm('api');
  store.save('api', () => LIST);
  expect(vi.getTimerCount()).toBe(1);
  const timers = unref.mock.results.map(({ value }) => value as NodeJS.Timeout);
  expect(timers.map((timer) => timer.hasRef())).toEqual([false]);
  // The other way round, the fake timer stays: the spy has it as its original.
  vi.restoreAllMocks();
  vi.useRealTimers();
});

it('a flush without changes writes nothing', async () => {
  const { store } = open();
  store.load('api');
  await store.flush();
  expect(readdirSync(folder)).toEqual([]);
});

it('the writes of a snapshot file follow each other, so that the last list stays', async () => {
  const { store } = open();
  store.save('api', () => LIST);
  const first = store.flush();
  store.save('api', () => new Map());
  await Promise.all([first, store.flush()]);
  expect(open().store.load('api')?.snapshot.size).toBe(0);
});

describe('the draft of a snapshot file', () => {
  it('is not written through a symbolic link that lies beside the file', async () => {
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'precious');
    mkdirSync(join(folder, 'below'));
    // The names of drafts in an earlier version; an attacker may have guessed them.
    for (const name of [`${file}.${process.pid}.tmp`, `${file}.tmp`]) symlinkSync(victim, name);
    await write();
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(lstatSync(file).isSymbolicLink()).toBe(false);
    expect(open().store.load('api')?.snapshot).toEqual(LIST);
  });

  it('has a new name each time, and becomes a file that only its owner may read', async () => {
    mkdirSync(join(folder, 'below'));
    writeFileSync(file, '{}');
    chmodSync(file, 0o666);
    writeFileSync(`${file}.${process.pid}.tmp`, '');
    chmodSync(`${file}.${process.pid}.tmp`, 0o666);
    await write();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe('a snapshot file that is a symbolic link', () => {
  it.each([
    ['to a file', true],
    ['to a file that does not exist yet', false],
  ])('%s stays a link, and its target is replaced', async (_, exists) => {
    const volume = join(folder, 'volume');
    mkdirSync(volume);
    mkdirSync(join(folder, 'below'));
    if (exists) writeFileSync(join(volume, 'lists.json'), '{}');
    // The path leads over two links; the second one is relative.
    symlinkSync(join(folder, 'second'), file);
    symlinkSync('volume/lists.json', join(folder, 'second'));
    await write();
    expect(readlinkSync(file)).toBe(join(folder, 'second'));
    expect(readlinkSync(join(folder, 'second'))).toBe('volume/lists.json');
    expect(readdirSync(volume)).toEqual(['lists.json']);
    expect(lstatSync(join(volume, 'lists.json')).isFile()).toBe(true);
    expect(open().store.load('api')?.snapshot).toEqual(LIST);
  });

  it('to itself is neither read nor written, and a warning says so', async () => {
    mkdirSync(join(folder, 'below'));
    symlinkSync(file, file);
    const { store, told } = open();
    store.save('api', () => LIST);
    await store.flush();
    expect(told.map((event) => 'reason' in event && event.reason)).toEqual([
      expect.stringContaining('it is ignored'),
      expect.stringContaining('it cannot be written (too many symbolic links)'),
    ]);
  });
});

const refusal = (snapshotFile: string) => () => validateOptions({ snapshotFile }, {});

describe('a snapshot path that is not a regular file', () => {
  it('is rejected at the start', () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    symlinkSync(fifo, join(folder, 'link'));
    const allowed = 'allowed: the path of a regular file, or of one to be made';
    expect(refusal(folder)).toThrow(`"${folder}", where a directory is; ${allowed}`);
    expect(refusal(fifo)).toThrow(`"${fifo}", where a FIFO is; ${allowed}`);
    expect(refusal(join(folder, 'link'))).toThrow('where a FIFO is');
    expect(refusal('/dev/null')).toThrow('where a device is');
    expect(refusal(file)).not.toThrow();
    writeFileSync(join(folder, 'regular'), '');
    expect(refusal(join(folder, 'regular'))).not.toThrow();
    expect(refusal(join(folder, 'regular', 'below a file'))).not.toThrow();
  });

  it('is neither read nor replaced if it appears after the start', async () => {
    mkdirSync(join(folder, 'below'));
    execFileSync('mkfifo', [file]);
    const { store, told } = open();
    expect(store.load('api')).toBeUndefined();
    store.save('api', () => LIST);
    await store.flush();
    expect(lstatSync(file).isFIFO()).toBe(true);
    expect(readdirSync(join(folder, 'below'))).toEqual(['lists.json']);
    expect(told).toMatchObject([
      { reason: 'it is ignored (it is a FIFO)' },
      { reason: 'it cannot be written (it is a FIFO)' },
    ]);
  });
});

it('an application goes on with one warning if the snapshot file cannot be written', async () => {
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

it('the module checks the options removalGuard and snapshotFile', () => {
  expect(guard(false)).toBeUndefined();
  expect(guard({ maxHoldMs: 5 })).toMatchObject({ maxHoldMs: 5, minShare: 0.5 });
  expect(() => guard(true)).toThrow('option removalGuard is true; allowed: false, or an object');
  expect(() => guard({ minShare: 2 })).toThrow('option removalGuard.minShare is 2; allowed: a num');
  expect(() => guard({ hold: 2 })).toThrow('option removalGuard.hold is 2; allowed: none');
  expect(() => validateOptions({ snapshotFile: '' }, {})).toThrow('option snapshotFile is ""');
});
