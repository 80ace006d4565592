/**
 * Nest applications of the tests as processes of their own, for what one process cannot show: signals, `kill
 * -9`, exit codes, handles that keep a process alive, real ports.
 *
 * How a child process runs TypeScript with decorators: `lib/` and `test/support/apps/` are compiled by the
 * compiler that also builds the package, with the options of the package (legacy decorators, emitted
 * metadata), and plain `node` runs the result. No loader runs in the child: what it does at start, at a
 * signal and at exit is what an installed package does. The compiler does not check types here (`noCheck`;
 * `npm run typecheck` does), which makes it a matter of one or two seconds, once per content of the sources:
 * the output folder is named by their hash (see `build-once.ts`), so no process can meet a half-written
 * build, and nothing has to be set up before the tests. Beside the output stands a package.json of the
 * package's own name with its `exports` pointed at the compiled `lib/`: by Node's self-reference an app
 * imports `nestjs-grpc-discovery` as any user does.
 *
 * Beside them stand bundles of the apps (`bundle-apps.ts`), which is what most tests start.
 *
 * An app is `test/support/apps/NAME.ts`. It prints one JSON event per line (`support/apps/app-events.ts`),
 * has its settings in environment variables, and ends when its standard input closes.
 */
import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleApps } from './bundle-apps.js';
import { buildOnce } from './build-once.js';
import { contentHash } from './content-hash.js';
import { EventProcess } from './event-process.js';
import { projectRoot } from './project-root.js';
import { runCommand } from './run-command.js';

const root = projectRoot(import.meta.url);

/** The proto file of the test service, which the apps find in `USER_PROTO`. */
export const userProtoPath = join(root, 'test/support/proto/user.proto');

export interface StartAppOptions {
  /**
   * `false`: module by module, as from an installed package; by default as a bundle, which starts in half of
   * the time.
   */
  readonly isBundled?: boolean;
  /** Flags for node itself, such as `--expose-gc`. */
  readonly nodeFlags?: readonly string[];
}

/** Below the folder of a build. */
const APPS = 'test/support/apps';
const BUNDLES = 'test/support/bundles';

let compiled: Promise<string> | undefined;

/** The folder with the compiled `lib/` and `test/support/apps/`, compiled now if their sources changed. */
export function compileApps(): Promise<string> {
  compiled ??= buildOnce(
    join(root, '.cache/test-apps'),
    contentHash(root, [
      'lib',
      'test/support',
      'tsconfig.json',
      'package.json',
      'package-lock.json',
    ]),
    compile,
  );
  return compiled;
}

/**
 * Starts `test/support/apps/NAME.ts` in a process of its own.
 *
 * @param env what the app is to see beside the environment of this process
 */
export async function startApp(
  name: string,
  env: Readonly<Record<string, string>> = {},
  options: StartAppOptions = {},
): Promise<EventProcess> {
  const folder = await compileApps();
  const { isBundled = true, nodeFlags = [] } = options;
  const entry = join(folder, isBundled ? BUNDLES : APPS, `${name}.js`);
  return new EventProcess(
    process.execPath,
    [...(isBundled ? [] : ['--enable-source-maps']), ...nodeFlags, entry],
    {
      name,
      env: {
        ...ownEnvironment(),
        USER_PROTO: userProtoPath,
        NO_COLOR: '1',
        ...env,
      },
      cwd: root,
    },
  );
}

/** This process's environment without what the test runner put there for itself. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => name !== 'NODE_OPTIONS' && !name.startsWith('VITEST'),
    ),
  );
}

async function compile(folder: string): Promise<void> {
  await runCommand(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '--project',
    join(root, 'test/support/tsconfig.apps.json'),
    '--outDir',
    folder,
  ]);
  // What the compiler leaves behind, such as proto files, goes along as it does in the package.
  cpSync(join(root, 'lib'), join(folder, 'lib'), {
    recursive: true,
    filter: (path) => !path.endsWith('.ts') || statSync(path).isDirectory(),
  });
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    name: string;
    exports: unknown;
  };
  const manifest = { name, type: 'module', exports };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify(manifest).replaceAll('"./dist/', '"./lib/'),
  );
  await bundleApps(join(folder, APPS), join(folder, BUNDLES));
}
