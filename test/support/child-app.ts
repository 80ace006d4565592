/**
 * Nest applications of the tests as processes of their own, for what one process cannot show: signals, `kill
 * -9`, exit codes, handles that keep a process alive, real ports.
 *
 * How a child process runs TypeScript with decorators: the compiler that builds the package compiles `lib/`
 * and `test/support/apps/`, with the options of the package (legacy decorators, emitted metadata), and plain
 * `node` runs the result. The child has no loader: its start, signals and exit are those of an installed
 * package. The compiler does not check types here (`noCheck`; `npm run typecheck` does), so it takes one or
 * two seconds, once for the same sources: the output folder has the name of their hash (see `build-once.ts`),
 * so no process can meet a half-written build, and the tests need no preparation. Beside the output there is
 * a package.json with the package's own name and its `exports` pointed at the compiled `lib/`: by Node's
 * self-reference an app imports `nestjs-grpc-discovery` as any user does.
 *
 * Most tests start the bundles of the apps (`bundle-apps.ts`), which are in the same folder.
 *
 * An app is `test/support/apps/NAME.ts`. It prints one JSON event per line (`support/apps/app-events.ts`),
 * reads its settings from environment variables, and ends when its standard input closes.
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

/** The proto file of the test service; apps find its path in `USER_PROTO`. */
export const userProtoPath = join(root, 'test/support/proto/user.proto');

export interface StartAppOptions {
  /**
   * `false`: the app loads its modules one by one, as from an installed package. By default it is a bundle,
   * which starts in half of the time.
   */
  readonly isBundled?: boolean;
  /** Flags of node itself, such as `--expose-gc`. */
  readonly nodeFlags?: readonly string[];
}

/** The folders of the compiled apps and of the bundles, in the folder of a build. */
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
 * @param env variables that the app gets in addition to the environment of this process
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

/** The environment of this process without the variables that the test runner sets for itself. */
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
  // Files that the compiler does not copy, such as proto files, are copied as in the package.
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
