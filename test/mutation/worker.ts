/**
 * The process that runs vitest on the copy of the tree, so that it can be killed: an edit may loop for ever.
 */
import { inspect } from 'node:util';
import { createVitest, type Vitest } from 'vitest/node';

/** What the worker is asked: run these specs, after these files have changed. */
export interface WorkerRequest {
  readonly changed: readonly string[];
  readonly specs: readonly string[];
  /** Whether the first failure ends the run. */
  readonly bail: boolean;
  /** How long one test or hook may take, in milliseconds. An edited promise may stay open. */
  readonly testTimeoutMs: number;
}

/** What it answers. */
export interface WorkerAnswer {
  /** The specs that failed, and errors outside of any spec. */
  readonly failures: readonly string[];
  readonly durationsMs: Readonly<Record<string, number>>;
}

const [root = '.'] = process.argv.slice(2);
const vitest: Vitest = await createVitest('test', {
  root,
  config: `${root}/test/mutation/vitest.config.mts`,
  watch: false,
  reporters: [{}],
  globalSetup: [],
  setupFiles: [`${root}/test/mutation/reached.ts`],
  pool: 'threads',
  maxWorkers: 1,
});
await vitest.standalone();

/** The files that were changed for the request before. */
let edited: readonly string[] = [];

async function answer(request: WorkerRequest): Promise<WorkerAnswer> {
  const { changed, specs, bail, testTimeoutMs } = request;
  // Those of the request before are restored by now.
  for (const file of [...edited, ...changed]) vitest.invalidateFile(file);
  edited = changed;
  const project = vitest.getRootProject();
  // A spec that this run does not come to would keep the result of an earlier one.
  vitest.state.clearFiles(project, [...specs]);
  project.config.bail = vitest.config.bail = bail ? 1 : 0;
  project.config.testTimeout = project.config.hookTimeout = testTimeoutMs;
  const found = specs.map((spec) => project.createSpecification(spec));
  const result = await vitest.runTestSpecifications(found);
  const { unhandledErrors } = result;
  // The result has the modules of earlier runs too.
  const testModules = result.testModules.filter(({ moduleId }) => specs.includes(moduleId));
  vitest.state.clearErrors();
  return {
    failures: [
      ...testModules.filter((module) => !module.ok()).map(({ moduleId }) => moduleId),
      ...unhandledErrors.map((error) => inspect(error)),
    ],
    durationsMs: Object.fromEntries(
      testModules.map((module) => {
        const {
          duration,
          collectDuration,
          setupDuration,
          environmentSetupDuration,
          prepareDuration,
        } = module.diagnostic();
        return [
          module.moduleId,
          duration + collectDuration + setupDuration + environmentSetupDuration + prepareDuration,
        ];
      }),
    ),
  };
}

process.on('message', (request: WorkerRequest) => {
  answer(request).then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ failures: [inspect(error)], durationsMs: {} }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
