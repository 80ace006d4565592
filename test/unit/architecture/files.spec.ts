/** Holds the library's files to their size, and the unit tests to the tree that they test. */
import { existsSync, readdirSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { parseModule, readModules, type SourceModule } from './import-graph.js';

/** A file is one concept, and rarely needs more lines. */
const MOST_LINES = 250;

/** Files that are longer, and why. */
const LONGER: Readonly<Record<string, string>> = {
  'core/snapshot/watch-machine.ts':
    'one table of states and inputs, which a reader follows in one piece',
  'etcd/connection/etcd-connection.ts':
    'the only file that loads etcd3: calls, tokens and members of one client share its life',
  'grpc/connection/endpoint-connection.ts': 'one connection with all of its states',
  'nest/server/grpc-registrar.service.ts': 'a public class with its documentation',
  'registry/directory/service-directory.ts':
    'one list with all that starts, publishes and ends it, and its documentation',
};

/** Below so many lines a file with a single importer belongs into that one. */
const FEWEST_LINES = 40;

/** Files with fewer lines and one importer, and why they are files. */
const SHORTER: Readonly<Record<string, string>> = {
  'balance/policies/least-request.ts': 'a policy is one file, and one line of the policy table',
  'balance/policies/rotation.ts': 'a policy is one file, and one line of the policy table',
  'core/snapshot/change-flood.ts': 'pure; its importer stands in a room that is not',
  'etcd/lease/etcd-registration.ts': 'its importer would have more than 250 lines',
  'etcd/watch/work-slices.ts': 'its importer would have more than 250 lines',
  'grpc/balancer/install-balancer.ts':
    'the balancer on real time; its importer knows resolvers only',
  'grpc/grpc-js/ip-servername.ts': 'private parts of grpc-js; its importer stands in another room',
  'grpc/grpc-js/proxy-exemption.ts':
    'private parts of grpc-js; its importer stands in another folder',
  'grpc/grpc-js/ready-transport.ts':
    'private parts of grpc-js; its importer stands in another folder',
  'grpc/interceptors/default-deadline.ts': 'one rule for calls, as every file of the folder',
  'grpc/service-config/balancing-choice.ts':
    'a choice without memory; its importer remembers what was last chosen',
  'grpc/service-config/same-value.ts': 'compares any two values, and knows no service config',
  'grpc/warm-up.ts': 'about channels of grpc-js; its importer stands in another room',
  'nest/server/end-server.ts': 'its importer has more than 250 lines',
  'nest/server/registrar-status.ts': 'its importer has more than 250 lines',
  'nest/server/service-addresses.ts': 'its importer has more than 250 lines',
  'nest/shutdown/abortable-delay.ts': 'its importer has more than 250 lines',
  'nest/shutdown/close-registry.ts':
    'a step of the shutdown; its importer declares what the module provides',
  'nest/shutdown/shutdown-signals.ts':
    'one for the process, while its importer has an object for each application',
  'nest/worker-key.ts': 'the only file that asks node:cluster',
  'testing/embedded-etcd/services/empty-ends.ts':
    'one rule of etcd about requests, beside the service that serves them',
  'testing/embedded-etcd/services/watch-fragments.ts':
    'pure; its importer is a stream with timers and listeners',
  'testing/embedded-etcd/services/watch-service.ts': 'each service of etcd is one file',
  'testing/testing-registry.ts': 'its importer is an entrance, which declares nothing',
};

/** Files with code and without a spec of their own, and the specs that test them. */
const WITHOUT_SPEC: Readonly<Record<string, string>> = {
  'balance/candidate.ts': 'unit/grpc/resolved-endpoint.spec.ts',
  'balance/load/call-tally.ts': 'unit/balance/modifiers/outlier-detection.spec.ts',
  'balance/load/in-flight-sum.ts': 'unit/balance/load/endpoint-load.spec.ts',
  'balance/policies/least-request.ts': 'unit/balance/policies/pick-two.spec.ts',
  'balance/policies/rotation.ts': 'unit/balance/policies/round-robin.spec.ts',
  'balance/policy-definition.ts': 'unit/balance/policy-table.spec.ts',
  'core/discovery-error.ts': 'unit/core/target.spec.ts, unit/core/values/value-reader.spec.ts',
  'core/lease/lease-types.ts': 'unit/core/lease/lease-machine.spec.ts',
  'core/records/discovery-fields.ts':
    'unit/core/records/endpoint.spec.ts, unit/core/records/endpoint-codec.spec.ts',
  'core/records/endpoint-address.ts': 'unit/core/records/dialable-record.spec.ts',
  'core/records/go-json-source.ts': 'unit/core/records/endpoint-codec.spec.ts',
  'core/service-name.ts': 'unit/registry/check-registration.spec.ts',
  'grpc/balancer/balancer-config.ts': 'unit/grpc/service-config/service-config.spec.ts',
  'grpc/grpc-js/ended-calls.ts': 'unit/grpc/grpc-js/ready-transport.spec.ts',
  'grpc/resolver/channel-discovery.ts': 'unit/grpc/resolver/registry-resolver.spec.ts',
  'grpc/service-config/balancing-choice.ts': 'unit/grpc/service-config/channel-config.spec.ts',
  'nest/client/inject-grpc-client.decorator.ts': 'unit/nest/discovery.module.spec.ts',
  'nest/discovery.tokens.ts': 'e2e/lifecycle.spec.ts',
  'nest/options/option-reader.ts': 'unit/nest/options/validate-options.spec.ts',
  'nest/server/end-server.ts': 'unit/nest/server/grpc-registrar.service.spec.ts',
  'nest/server/registrar-status.ts': 'unit/nest/server/grpc-registrar.service.spec.ts',
  'nest/shutdown/abortable-delay.ts': 'unit/nest/shutdown/force-signal.spec.ts',
  'nest/snapshot/snapshot-path.ts': 'unit/nest/snapshot/snapshot-file.spec.ts',
  'registry/given-endpoint.ts': 'unit/registry/static-registry.spec.ts',
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

const linesOf = ({ source }: SourceModule): number => source.text.trimEnd().split('\n').length;

/** Every file that is short and has exactly one importer. */
function shorter(files: readonly SourceModule[]): string[] {
  const importers = (path: string): number =>
    files.filter(({ imports }) => imports.some(({ file }) => file === path)).length;
  return files
    .filter((module) => linesOf(module) < FEWEST_LINES && importers(module.path) === 1)
    .map(({ path }) => path);
}

/** Whether nothing of the file is left when it is compiled. */
const isTypesOnly = ({ source }: SourceModule): boolean =>
  source.statements.every(
    (statement) =>
      ts.isImportDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement),
  );

describe('a file of the library', () => {
  it(`has at most ${MOST_LINES} lines, or a reason`, () => {
    const longer = modules.filter((module) => linesOf(module) > MOST_LINES).map(({ path }) => path);
    expect(longer).toEqual(Object.keys(LONGER).sort());
  });

  it(`has at least ${FEWEST_LINES} lines, several importers, or a reason`, () => {
    expect(shorter(modules)).toEqual(Object.keys(SHORTER).sort());
  });
});

describe('the check of short files', () => {
  const line = `import { x } from './x.js';\n`;
  const check = (lines: number, ...importers: readonly string[]): string[] =>
    shorter([
      parseModule('core/x.ts', 'export const x = 1;\n'.repeat(lines)),
      ...importers.map((path) => parseModule(path, line.repeat(FEWEST_LINES))),
    ]);

  it('reports a short file that only one file imports: the short file belongs into its importer', () => {
    expect(check(FEWEST_LINES - 1, 'core/a.ts')).toEqual(['core/x.ts']);
  });

  it('accepts a longer file, a file without an importer, and a file with several importers', () => {
    expect(check(FEWEST_LINES, 'core/a.ts')).toEqual([]);
    expect(check(1)).toEqual([]);
    expect(check(1, 'core/a.ts', 'core/b.ts')).toEqual([]);
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

  it('has the path of the file that it tests, or is in SCENARIOS', () => {
    expect(specs.filter((spec) => !hasFile(spec)).sort()).toEqual(Object.keys(SCENARIOS).sort());
  });

  it('exists for each file that has code, unless WITHOUT_SPEC names another spec for the file', () => {
    const untested = modules
      .filter((module) => /^(core|balance|registry|grpc|nest)\//.test(module.path))
      .filter((module) => !isTypesOnly(module))
      .map(({ path }) => path)
      .filter((path) => {
        const name = path.slice(0, -'.ts'.length);
        return !specs.some((spec) => spec === name || spec.startsWith(`${name}.`));
      });
    expect(untested).toEqual(Object.keys(WITHOUT_SPEC).sort());
  });

  it.each(Object.entries(WITHOUT_SPEC))('that WITHOUT_SPEC names for %s exists: %s', (_, named) => {
    const missing = named.split(', ').filter((spec) => !existsSync(`${root}test/${spec}`));
    expect(missing).toEqual([]);
  });
});
