/**
 * Holds the library to the order of the rooms inside its rooms, and to folders that a reader can take in at a
 * glance.
 */
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseModule, readModules, type SourceModule } from './import-graph.js';
import { ORDER } from './room-order.js';

/** The most files that a folder holds. */
const MOST_FILES = 12;

/**
 * Folders that stand above one another and have no files of each other: the server's half of gRPC knows
 * nothing of the client's.
 */
const APART: readonly (readonly [string, string])[] = [
  ...['interceptors', 'connection', 'balancer', 'service-config', 'resolver'].map(
    (folder) => ['grpc/server', `grpc/${folder}`] as const,
  ),
  ['core/lease', 'core/snapshot'],
  ['nest/client', 'nest/server'],
];

const folderOf = (path: string): string => posix.dirname(path);

/** The room that both folders are in, and their places in its order. */
function places(from: string, to: string): readonly [number, number] | undefined {
  for (const [room, order] of Object.entries(ORDER)) {
    const at = (folder: string): number =>
      order.findIndex((name) => `${folder}/`.startsWith(`${room}/${name}/`));
    const [one, other] = [at(from), at(to)];
    if (one >= 0 && other >= 0 && one !== other) return [one, other];
  }
  return undefined;
}

function isApart(from: string, to: string): boolean {
  return APART.some(
    ([one, other]) =>
      (`${from}/`.startsWith(one) && `${to}/`.startsWith(other) && !`${to}/`.startsWith(one)) ||
      (`${to}/`.startsWith(one) && `${from}/`.startsWith(other) && !`${from}/`.startsWith(one)),
  );
}

/** Imports against the order, one text each. */
function breaches(modules: readonly SourceModule[]): string[] {
  return modules.flatMap(({ path, imports }) =>
    imports.flatMap(({ file, line }) => {
      if (file === undefined) return [];
      const [from, to] = [folderOf(path), folderOf(file)];
      const [one, other] = places(from, to) ?? [0, -1];
      const isAgainst = other > one || (places(from, to) !== undefined && isApart(from, to));
      return isAgainst ? [`${path}:${line}: ${from} must not import from ${to}`] : [];
    }),
  );
}

const modules = readModules(new URL('../../../lib', import.meta.url).pathname);

describe('the rooms of the library', () => {
  it('import from below only', () => {
    expect(breaches(modules)).toEqual([]);
  });

  it('have no folder that the order does not name', () => {
    const unnamed = modules
      .map(({ path }) => folderOf(path))
      .filter((folder) => folder.includes('/'))
      .filter((folder) => ORDER[folderOf(folder)]?.includes(posix.basename(folder)) !== true);
    expect(unnamed).toEqual([]);
  });

  it(`have at most ${MOST_FILES} files in a folder`, () => {
    const counts = new Map<string, number>();
    for (const { path } of modules) {
      counts.set(folderOf(path), (counts.get(folderOf(path)) ?? 0) + 1);
    }
    expect([...counts].filter(([, count]) => count > MOST_FILES)).toEqual([]);
  });
});

describe('the check of the order of folders', () => {
  it.each([
    [
      'grpc/connection/x.ts',
      '../balancer/y.js',
      'grpc/connection must not import from grpc/balancer',
    ],
    ['grpc/server/x.ts', '../balancer/y.js', 'grpc/server must not import from grpc/balancer'],
    ['core/snapshot/x.ts', '../lease/y.js', 'core/snapshot must not import from core/lease'],
    [
      'testing/embedded-etcd/store/x.ts',
      '../services/y.js',
      'testing/embedded-etcd/store must not import from testing/embedded-etcd/services',
    ],
  ])(
    'reports that %s imports from %s, which comes later in the order',
    (path, specifier, message) => {
      const module = parseModule(path, `import { y } from '${specifier}';`);
      expect(breaches([module])).toEqual([`${path}:1: ${message}`]);
    },
  );

  it('lets a folder import from below, from itself and from the top of its room', () => {
    const text = `import { a } from '../grpc-js/a.js';\nimport { b } from './b.js';\nimport { c } from '../c.js';`;
    expect(breaches([parseModule('grpc/connection/x.ts', text)])).toEqual([]);
  });
});
