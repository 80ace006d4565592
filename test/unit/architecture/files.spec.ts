/** Holds the library's files to their size, and the unit tests to the tree that they test. */
import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readModules } from './import-graph.js';

/** A file is one concept, and rarely needs more lines. */
const MOST_LINES = 250;

/** Files that are longer, and why. */
const LONGER: Readonly<Record<string, string>> = {
  'core/snapshot/watch-machine.ts':
    'one table of states and inputs, which a reader follows in one piece',
  'etcd/connection/etcd-connection.ts':
    'the only file that knows etcd3; its members share one life',
  'grpc/connection/endpoint-connection.ts': 'one connection with all of its states',
  'nest/server/grpc-registrar.service.ts': 'a public class with its documentation',
  'registry/directory/service-directory.ts': 'a public class with its documentation',
};

/** Specs of no file: each plays a scenario over several. */
const SCENARIOS: Readonly<Record<string, string>> = {
  'balance/simulation': 'a client and its servers as discrete events, for every policy',
  'core/lease-walk': 'the lease machine against a registry that does anything, at random',
  'etcd/herd': 'thousands of processes that come home at once',
  'nest/option-secrets': 'secrets at random places of the options, and all error texts',
  'registry/guarded-directory': 'directory, guard and channels together',
};

const root = new URL('../../../', import.meta.url).pathname;
const modules = readModules(`${root}lib`);

describe('a file of the library', () => {
  it(`has at most ${MOST_LINES} lines, or a reason`, () => {
    const longer = modules
      .filter(({ source }) => source.text.trimEnd().split('\n').length > MOST_LINES)
      .map(({ path }) => path);
    expect(longer).toEqual(Object.keys(LONGER).sort());
  });
});

describe('a unit test', () => {
  const specs = readdirSync(`${root}test/unit`, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.spec.ts') && !/^(architecture|support)\//.test(path))
    .map((path) => path.slice(0, -'.spec.ts'.length));

  /** `core/lease/lease-machine.retries` may test one side of `core/lease/lease-machine`. */
  const hasFile = (spec: string): boolean =>
    existsSync(`${root}lib/${spec}.ts`) ||
    existsSync(`${root}lib/${spec.slice(0, spec.lastIndexOf('.'))}.ts`);

  it('stands where the file stands that it tests, or plays a scenario', () => {
    expect(specs.filter((spec) => !hasFile(spec)).sort()).toEqual(Object.keys(SCENARIOS).sort());
  });
});
