/** Holds the library to exports that the library itself imports, or its users. */
import { describe, expect, it } from 'vitest';
import { exportsOf, parseModule, readModules, type SourceModule } from './import-graph.js';

/** Files that other programs start or import, and that no file of the library imports. */
const ENTRANCES: readonly string[] = ['index.ts', 'testing/index.ts', 'cli/main.ts'];

/** Exports that only tests import, below the reason. */
const FOR_TESTS: Readonly<Record<string, readonly string[]>> = {
  'a test declares what it passes to a function, or gets from it': [
    'balance/candidate-pipeline.ts PipelineInput',
    'balance/modifiers/outlier-detection.ts OutlierStep',
    'balance/policies/consistent-hash.ts ConsistentHashOptions',
    'core/snapshot/watch-machine.ts WatchContext',
    'etcd/connection/member-sync.ts ClientUrls',
    'grpc/interceptors/call-interceptors.ts CallPromises',
    'grpc/resolver/registry-resolver.ts DefaultPool',
    'nest/server/advertised-address.ts AdvertisedAddressInput',
    'nest/server/late-registrations.ts LateRegistrations',
    'nest/shutdown/shutdown-signals.ts SignalListener',
    'testing/embedded-etcd/store/watch-hub.ts WatchOptions',
  ],
  'the picker or the load of a policy, which the library reaches through its definition': [
    'balance/policies/consistent-hash.ts ConsistentHash',
    'balance/policies/first-choice.ts FirstChoice',
    'balance/policies/least-request.ts leastRequestLoad',
    'balance/policies/peak-ewma-load.ts peakEwmaLoad',
    'balance/policies/random-choice.ts RandomChoice',
  ],
  'a time or a size, up to which a test waits or fills': [
    'registry/directory/guarded-list.ts RECONNECT_GRACE_MS',
    'registry/directory/service-directory.ts GATHER_PER_PUBLISH',
    'registry/directory/service-directory.ts MAX_GATHER_MS',
    'registry/directory/service-directory.ts SNAPSHOT_WAIT_MS',
    'registry/kept-watch.ts FIRST_WORD_MS',
    'testing/embedded-etcd/services/watch-fragments.ts MAX_FRAGMENT_BYTES',
  ],
  'a default, which tests expect and models of fleets run with': [
    'core/records/endpoint.ts DEFAULT_WEIGHT',
    'etcd/etcd-timings.ts DEFAULT_TIMINGS',
  ],
  'a list of names, which a test holds to the names that grpc-js has': [
    'grpc/grpc-js/grpc-experimental.ts REQUIRED_EXPERIMENTAL',
    'nest/options/validate-channel.ts CHANNEL_OPTIONS',
  ],
  'it decides for the rest of its file, and a test drives it alone': [
    'grpc/grpc-js/keepalive-pings.ts PingBudget',
    'grpc/resolved-endpoint.ts resolvedEndpoints',
    'nest/discovery-logger.service.ts describeEvent',
  ],
};

/** Every export that no other file imports, as `FILE NAME`. */
function unused(modules: readonly SourceModule[]): string[] {
  const used = new Set(
    modules.flatMap(({ imports }) =>
      imports.flatMap(({ file, names }) => names.map((name) => `${file} ${name}`)),
    ),
  );
  return modules
    .filter(({ path }) => !ENTRANCES.includes(path))
    .flatMap((module) => exportsOf(module).map(({ name }) => ({ path: module.path, name })))
    .filter(({ path, name }) => !used.has(`${path} ${name}`) && !used.has(`${path} *`))
    .map(({ path, name }) => `${path} ${name}`);
}

function check(files: Readonly<Record<string, string>>): string[] {
  return unused(Object.entries(files).map(([path, text]) => parseModule(path, text)));
}

describe('an export of the library', () => {
  it('is imported by another file of the library, or has a reason', () => {
    const modules = readModules(new URL('../../../lib', import.meta.url).pathname);
    expect(unused(modules).sort()).toEqual(Object.values(FOR_TESTS).flat().sort());
  });
});

describe('the check of exports', () => {
  it.each([
    ['a function', 'export function a() {}'],
    ['an async function', 'export async function a() {}'],
    ['a class', 'export abstract class a {}'],
    ['a constant', 'export const a = 1;'],
    ['a constant taken out of an object', 'export const { b: [a] } = c;'],
    ['a type', 'export type a = string;'],
    ['an interface', 'export interface a {}'],
  ])('reports %s that is exported and that no file imports', (_what, text) => {
    expect(check({ 'core/x.ts': text })).toEqual(['core/x.ts a']);
    expect(check({ 'core/x.ts': text, 'core/y.ts': `import { b as a } from './x.js';` })).toEqual([
      'core/x.ts a',
    ]);
  });

  it.each([
    ['an import', `import { a as b } from './x.js';`],
    ['an import of the type', `import { type a } from './x.js';`],
    ['an import of all', `import * as x from './x.js';`],
    ['a type in place', `type B = import('./x.js').a;`],
    ['an export from there', `export { a as b } from './x.js';`],
    ['an export of all', `export * from './x.js';`],
    ['an import at run time', `const x = import('./x.js');`],
  ])('accepts %s as a use', (_what, text) => {
    expect(check({ 'core/x.ts': 'export class a {}', 'core/y.ts': text })).toEqual([]);
  });

  it('reports neither a name that is not exported nor an export of an entrance', () => {
    expect(check({ 'core/x.ts': 'class a {}', 'cli/main.ts': 'export const b = 1;' })).toEqual([]);
  });
});
