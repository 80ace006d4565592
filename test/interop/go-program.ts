/**
 * The Go program of the interoperability tests (`test/interop/go`): is there a Go, build it once, start a
 * subcommand as a process. The program prints JSON events as our child apps do.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { buildOnce } from '../support/build-once.js';
import { contentHash } from '../support/content-hash.js';
import { EventProcess, type ProcessEvent } from '../support/event-process.js';
import { projectRoot } from '../support/project-root.js';
import { runCommand } from '../support/run-command.js';

const root = projectRoot(import.meta.url);

/** A subcommand of the Go program; see `test/interop/go/main.go`. */
export type GoCommand = 'server' | 'client' | 'load' | 'list' | 'watch' | 'put' | 'delete' | 'get';

/** Flags by name, without the dashes. `true` stands for a flag without a value. */
export type GoFlags = Readonly<Record<string, string | number | true>>;

let version: string | undefined;

/** Whether this machine has a Go to build the program with. */
export function goAvailable(): boolean {
  return goVersion() !== '';
}

/** As `go version` prints it; empty where there is no Go. */
export function goVersion(): string {
  if (version === undefined) {
    try {
      version = execFileSync('go', ['version'], { encoding: 'utf8' }).trim();
    } catch {
      version = '';
    }
  }
  return version;
}

let built: Promise<string> | undefined;

/** The path of the program, built now if its sources changed. */
export async function buildGoProgram(): Promise<string> {
  built ??= buildOnce(
    join(root, '.cache/interop'),
    contentHash(root, ['test/interop/go']),
    async (folder) => {
      const output = join(folder, 'interop');
      const source = join(root, 'test/interop/go');
      const flags = ['-trimpath', '-mod=readonly', '-o', output];
      await runCommand('go', ['build', '-C', source, ...flags, '.']);
    },
  );
  return join(await built, 'interop');
}

/** Starts a subcommand in the background. */
export async function startGo(
  command: GoCommand,
  etcd: string,
  service: string,
  flags: GoFlags = {},
): Promise<EventProcess> {
  const program = await buildGoProgram();
  const all: GoFlags = { etcd, service, ...flags };
  const args = Object.entries(all).map(([name, value]) =>
    value === true ? `--${name}` : `--${name}=${value}`,
  );
  return new EventProcess(program, [command, ...args], {
    name: `interop ${command}`,
  });
}

/**
 * Runs a subcommand to its end and resolves with its last event.
 * @throws when it ends with another code than 0
 */
export async function runGo(
  command: GoCommand,
  etcd: string,
  service: string,
  flags: GoFlags = {},
): Promise<ProcessEvent> {
  const process = await startGo(command, etcd, service, flags);
  const { code, signal } = await process.exit;
  const last = process.events.at(-1);
  if (code !== 0 || last === undefined) {
    throw new Error(
      `interop ${command} ended with ${signal ?? `code ${code}`}\n${process.stdout}${process.stderr}`,
    );
  }
  return last;
}
