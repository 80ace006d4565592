/** Runs a command until it ends. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * Runs a program and resolves with its standard output.
 * @throws when it cannot be started or ends with another code than 0: the error holds what it printed
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  cwd?: string,
): Promise<string> {
  try {
    return (await execute(command, args, { cwd, maxBuffer: 64 * 1024 * 1024 })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as {
      stdout?: string;
      stderr?: string;
    };
    throw new Error(`${command} ${args.join(' ')} failed\n${stdout}${stderr}`, {
      cause: error,
    });
  }
}
