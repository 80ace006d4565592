/** Applications outside this checkout that install the packed package from its tarball, as users do. */
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { runCommand } from '../support/run-command.js';

const root = projectRoot(import.meta.url);

/** The result of `npm pack`. */
export interface Tarball {
  readonly path: string;
  /** The names of the files in it, relative to the package. */
  readonly files: readonly string[];
}

/** Builds and packs the package into a folder. */
export async function packPackage(folder: string): Promise<Tarball> {
  const output = await runCommand('npm', ['pack', '--json', '--pack-destination', folder], root);
  // The output of the build precedes the JSON; npm prints the packages as an array, and since version 12 as
  // an object.
  const listed = JSON.parse(output.slice(output.search(/^[[{]$/m))) as object;
  const [packed] = Object.values(listed) as {
    filename: string;
    files: { path: string }[];
  }[];
  if (packed === undefined) throw new Error(`npm pack said\n${output}`);
  return { path: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** Makes a temporary folder, and returns its path without symbolic links. */
export function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'package-test-')));
}

interface Manifest {
  dependencies: Record<string, string>;
}

/** An application in its own folder. The code that installs it must remove it. */
export class FreshApp {
  private constructor(readonly folder: string) {}

  /**
   * Installs `apps/NAME` with the package from its tarball.
   *
   * @param versions dependencies whose versions differ from those in the app's package.json
   */
  static async install(
    name: string,
    tarball: Tarball,
    versions: Readonly<Record<string, string>> = {},
  ): Promise<FreshApp> {
    const app = new FreshApp(temporaryFolder());
    cpSync(join(root, 'test/package/apps/common'), app.folder, { recursive: true });
    cpSync(join(root, 'test/package/apps', name), app.folder, { recursive: true });
    const path = join(app.folder, 'package.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    Object.assign(manifest.dependencies, versions, {
      'nestjs-grpc-discovery': `file:${tarball.path}`,
    });
    writeFileSync(path, JSON.stringify(manifest, undefined, 2));
    await app.run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline']);
    return app;
  }

  /** Runs a command in the application's folder, to its end. */
  run(command: string, args: readonly string[]): Promise<string> {
    return runCommand(command, args, this.folder);
  }

  /** The installed version of a package. */
  installed(name: string): string {
    const path = join(this.folder, 'node_modules', name, 'package.json');
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }

  /**
   * Compiles the application and checks its types, with its own compiler, against the packed declarations.
   */
  async compile(flags: readonly string[] = []): Promise<void> {
    await this.run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.', ...flags]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
