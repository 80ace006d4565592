/** Applications outside of the checkout that install the packed package from its tarball, as users do. */
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { runCommand } from '../support/run-command.js';

const root = projectRoot(import.meta.url);

/** What `npm pack` made. */
export interface Tarball {
  readonly path: string;
  /** The names of the files in it, relative to the package. */
  readonly files: readonly string[];
}

/** Builds and packs the package into a folder. */
export async function packPackage(folder: string): Promise<Tarball> {
  const output = await runCommand('npm', ['pack', '--json', '--pack-destination', folder], root);
  // What the build prints goes before the JSON; npm names packages in an array, or in an object since its
  // version 12.
  const listed = JSON.parse(output.slice(output.search(/^[[{]$/m))) as object;
  const [packed] = Object.values(listed) as {
    filename: string;
    files: { path: string }[];
  }[];
  if (packed === undefined) throw new Error(`npm pack said\n${output}`);
  return { path: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** A temporary folder by its real name. */
export function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'package-test-')));
}

interface Manifest {
  dependencies: Record<string, string>;
}

/** An application in a folder of its own. Whoever installs it removes it. */
export class FreshApp {
  private constructor(readonly folder: string) {}

  /**
   * Installs `apps/NAME` with the package from its tarball.
   *
   * @param versions dependencies in other versions than the app's own package.json says
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

  /** The version of a package as it is installed. */
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
